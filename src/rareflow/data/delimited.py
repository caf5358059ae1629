"""CSV: comma-separated values, each column in the dtype of all of its values."""

from __future__ import annotations

from math import isinf, isnan
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from rareflow.data.dtypes import EXACT
from rareflow.data.names import shown_names, unique_names
from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

__all__ = ["parse_csv"]

_FEW = 3  # commas of a line that text may well have
_OTHERS = {";": "semicolons", "\t": "tabs", "|": "bars"}  # that separate columns in some files
_MISSING = [*pa_csv.ConvertOptions().null_values, " "]


def parse_csv(
    content: pa.Buffer,
    path: Path,
    notes: list[str],
    *,
    written: Collection[str] = (),
    text: Collection[str] = (),
    known: Sequence[str] = (),
) -> pd.DataFrame:
    """Parse comma-separated values; pyarrow, unlike pandas, refuses a row that is too short.

    Parameters
    ----------
    content
        The file's content, in UTF-8.
    path
        The file, for messages.
    notes
        Takes a sentence for what was tolerated.
    written, text
        Columns whose numbers are names: where numbers would not be written as the file has them, 01 for one,
        they stay text; and those that are text in any case.
    known
        The columns' names where the first line names none.

    Raises
    ------
    DataError
        If it has no header and is not of the known columns, is not separated by commas, or a quote that
        nobody closes swallows lines.
    """
    table = _parsed(content, path)
    header = [name.strip() for name in table.column_names]
    has_header = not _looks_like_values(header)
    if not has_header:
        _check_known(header, known, path)
        table, header = _parse(content, names=known), list(known)
        notes.append(f"{path.name} has no header; its columns got the names that the recipe knows.")
    own = [name or f"Unnamed: {i}" for i, name in enumerate(header)]
    names = unique_names(own)
    if renamed := [name for name, first in zip(names, own, strict=True) if name != first]:
        notes.append(f"{path.name}: columns of one name got a suffix: {shown_names(renamed)}.")
    table = table.rename_columns(names)
    _check_quotes(table, path)
    for place, name in enumerate(names):
        column = table.column(place)
        is_name = name in written and not pa.types.is_string(column.type)
        if is_name or _is_beyond_int64(column):
            as_text = _parse(content, f"f{place}").column(0).slice(int(has_header))
            column = _whole(column, as_text)
            is_kept = is_name and (name in text or not _is_written_so(column, as_text))
            table = table.set_column(place, name, as_text if is_kept else column)
    frame = table.to_pandas()
    if not header[0] and (frame[names[0]] == frame.index).all():
        notes.append(f"{path.name} begins with an unnamed column that counts the rows; it was left out.")
        frame = frame.drop(columns=names[0])
    return frame


def _parsed(content: pa.Buffer, path: Path) -> pa.Table:
    """Parse all columns, whose names the first line is taken for."""
    try:
        table = _parse(content)
    except pa.ArrowInvalid as err:
        first = content.to_pybytes().splitlines()[0].decode()
        if others := [name for mark, name in _OTHERS.items() if mark in first and "," not in first]:
            raise DataError(
                f"{path}: its columns are separated by {others[0]}; separate them by commas, write the "
                "decimals of numbers behind a point, and a value that holds a comma in double quotes"
            ) from err
        if first.startswith("#"):
            raise DataError(
                f"{path}: its first line begins with '#', {first[:40]!r}; remove all such lines, write the "
                "columns' names into the first line, and separate the columns by commas"
            ) from err
        raise
    if table.num_columns == 1:
        (header,) = table.column_names
        raise DataError(
            f"{path}: has one column only, {header.strip()[:80]!r}; separate the columns by commas"
        )
    return table


def _check_known(header: Sequence[str], known: Sequence[str], path: Path) -> None:
    """Refuse a first line of values where the columns' names are not known otherwise."""
    if len(header) != len(known):
        but = f" of {len(header)} columns, and the recipe knows {len(known)}" if known else ""
        raise DataError(
            f"{path}: has no header, its first line is {','.join(header)[:80]!r}{but}; write the names there"
        )


def _check_quotes(table: pa.Table, path: Path) -> None:
    """Refuse text that holds whole lines of the table, as a quote that nobody closes makes it."""
    commas = table.num_columns - 1
    for name, column in zip(table.column_names, table.columns, strict=True):
        if commas < _FEW or not pa.types.is_string(column.type):
            continue
        for row in pc.indices_nonzero(pc.match_substring(column, "\n").combine_chunks()).to_pylist():
            value = str(column[row])
            inner = value.split("\n")[1:-1]
            if inner and all(line.count(",") == commas for line in inner):
                raise DataError(
                    f"{path}: column {name!r} of row {row + 1} holds {len(inner) + 2} lines, {value[:60]!r} "
                    "...; a double quote that nobody closes made one value of them: remove it"
                )


def _parse(content: pa.Buffer, column: str = "", names: Sequence[str] = ()) -> pa.Table:
    """Parse all columns; or one, named by its number as in ``f0``, as text with the header as a first row.

    Given names, the first line is a row.
    """
    return pa_csv.read_csv(
        pa.BufferReader(content),
        read_options=pa_csv.ReadOptions(autogenerate_column_names=bool(column), column_names=list(names)),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            null_values=_MISSING,
            strings_can_be_null=True,
            include_columns=[column] if column else None,
            column_types={column: pa.string()} if column else None,
        ),
    )


def _is_beyond_int64(column: pa.ChunkedArray) -> bool:
    """Tell whether a column's numbers are floats because a whole number of 64 bits needs its last one."""
    if not pa.types.is_floating(column.type):
        return False
    largest = pc.max(column).as_py()
    return largest is not None and 2**63 <= largest <= 2**64


def _whole(column: pa.ChunkedArray, text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give the whole numbers of 64 bits that a column of floats was written as, if it was."""
    if not _is_beyond_int64(column):
        return column
    try:
        return pc.utf8_trim_whitespace(text).cast(pa.uint64())
    except pa.ArrowInvalid:
        return column


def _is_written_so(column: pa.ChunkedArray, text: pa.ChunkedArray) -> bool:
    """Tell whether a column's numbers, truth values or times name what its text does."""
    written = {str(value).strip() for value in text.unique().to_pylist() if value is not None}
    values = [value for value in column.unique().to_pylist() if value is not None]
    if pa.types.is_boolean(column.type):
        return len(written) == len(values)
    if not pa.types.is_floating(column.type):
        # A whole number in a column with gaps becomes a float.
        exact = all(abs(value) <= EXACT for value in values if isinstance(value, int))
        return written == {str(value) for value in values} and (exact or not column.null_count)
    numbers = {value for value in values if not isnan(value)}
    names = [name for name in written if not isnan(float(name))]
    return len(names) == len(numbers) and not any(map(isinf, numbers))


def _looks_like_values(header: list[str]) -> bool:
    """Tell a row of values from a row of names: most are numbers, and they do not just count the columns."""
    numbers = pd.to_numeric(pd.Series(header), errors="coerce").dropna()
    counts = numbers.diff().iloc[1:].eq(1).all() and len(numbers) > 1
    return 2 * len(numbers) > len(header) and not counts
