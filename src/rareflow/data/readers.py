"""Read a table from CSV, ARFF or Parquet: one file, or all files of a folder or a glob."""

from __future__ import annotations

import codecs
import difflib
import glob
import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from rareflow.data.arff import parse_arff
from rareflow.data.names import unique_names
from rareflow.data.parquet import ParquetPart, settle_objects
from rareflow.data.source import Held, Part, Source, own_buffer, readable
from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["ENDINGS", "open_source"]

ENDINGS = (".csv", ".csv.gz", ".arff", ".parquet")
_ALSO_CSV = ".txt"  # where the file itself is named: in a folder, text may be anything
_MISSING = [*pa_csv.ConvertOptions().null_values, " "]

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def open_source(
    source: str, *, label: str = "", drop: Collection[str] = (), names: Sequence[str] = ()
) -> Source:
    """Open a table to be read frame by frame; what is Parquet is never held whole.

    Names and text are trimmed of white space; a repeated name gets the suffix ``.1``, ``.2`` and so on. Rows
    in which every value is missing are dropped. Dtypes are those of the file; CSV columns get theirs from all
    of their values, ARFF numbers are ``float64``, ARFF nominals ``category``.

    Parameters
    ----------
    source
        A file, a folder or a glob of files that end in one of ``ENDINGS``; a single CSV may end in ``.txt``.
        Several files are read in sorted order and must have the same columns.
    label
        A column of a CSV whose numbers are names: where numbers would not tell 01 from 1, it stays text.
    drop
        Columns that nobody will use; nested ones, which only Parquet has, are left out.
    names
        The columns of a CSV whose first line names none.

    Raises
    ------
    DataError
        If no such file is found, or one cannot be read, is empty or has other columns than the first.
    """
    notes: list[str] = []
    parts = [_open(path, notes, label, drop, names) for path in _find(source)]
    return Source(parts, tuple(notes))


def _find(source: str) -> list[Path]:
    """Give the files that a source names, sorted."""
    path = Path(source).expanduser()
    if path.is_file():
        if _ending(path) is None and path.suffix.lower() != _ALSO_CSV:
            raise DataError(
                f"{source}: its ending is none of {', '.join(ENDINGS)}; convert the file or rename it"
            )
        return [path]
    if path.is_dir():
        found = [file for file in path.iterdir() if not file.name.startswith(".")]
    elif glob.has_magic(source):
        found = [Path(file) for file in glob.glob(str(path))]  # noqa: PTH207 - Path.glob refuses absolute globs
    else:
        raise DataError(f"no such file or folder: {source}{_nearby(path)}")
    files = sorted(file for file in found if file.is_file() and _ending(file))
    if not files:
        raise DataError(
            f"{source}: it names no file that ends in {', '.join(ENDINGS)}; give --data another path"
        )
    endings = sorted({str(_ending(file)) for file in files})
    if len(endings) > 1:
        raise DataError(
            f"{source}: holds files of several kinds ({', '.join(endings)}); name one, as in '*{endings[0]}'"
        )
    return files


def _ending(path: Path) -> str | None:
    return next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), None)


def _nearby(path: Path) -> str:
    """Say which similarly named file stands where `path` was looked for."""
    siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else "; give --data a path that exists"


def _open(path: Path, notes: list[str], label: str, drop: Collection[str], names: Sequence[str]) -> Part:
    """Open one file of any known kind."""
    part: Part
    with readable(path):
        if _ending(path) == ".parquet":
            part = ParquetPart(path, drop)
        elif _ending(path) == ".arff":
            part = _held(path, parse_arff(_text(path, notes), path))
        else:
            part = _held(path, _read_csv(path, notes, label, names))
    if not part.rows or part.witness.columns.empty:
        raise DataError(f"{path}: holds no rows; give --data a file with rows below its header")
    return part


def _held(path: Path, frame: pd.DataFrame) -> Held:
    return Held(path, settle_objects(frame.set_axis(unique_names(list(frame.columns)), axis=1), path))


def _text(path: Path, notes: list[str]) -> bytes:
    """Give a text file's content as UTF-8; bytes that are no UTF-8 are read as Windows or Latin-1 text."""
    content = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        content = gzip.decompress(content)
    if not content.strip():
        raise DataError(f"{path}: is empty; give --data a file with a header and rows")
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            content = content.decode(encoding, errors="replace").encode()
            break
    if b"\0" in content:
        raise DataError(f"{path}: holds zero bytes, which no text does; write the file in UTF-8")
    try:
        content.decode()
    except UnicodeDecodeError as err:
        text, encoding = _decode(content)
        notes.append(f"{path.name} is not UTF-8 (byte {content[err.start]:#04x}) and was read as {encoding}.")
        return text.encode()
    return content


def _decode(content: bytes) -> tuple[str, str]:
    try:
        return content.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def _read_csv(path: Path, notes: list[str], label: str, known: Sequence[str]) -> pd.DataFrame:
    """Read comma-separated values; pyarrow, unlike pandas, refuses a row that is too short."""
    content = own_buffer(_text(path, notes))
    try:
        table = _parse_csv(content)
    except pa.ArrowInvalid as err:
        first = content.to_pybytes().splitlines()[0].decode()
        if ";" in first and "," not in first:
            raise DataError(
                f"{path}: its columns are separated by semicolons; separate them by commas, and write the "
                "decimals of numbers behind a point"
            ) from err
        raise
    header = [name.strip() for name in table.column_names]
    if len(header) == 1:
        raise DataError(f"{path}: has one column only, {header[0][:80]!r}; separate the columns by commas")
    if _looks_like_values(header):
        if len(header) != len(known):
            raise DataError(
                f"{path}: has no header, its first line is {','.join(header)[:80]!r}; write the names there"
            )
        table, header = _parse_csv(content, names=known), list(known)
        notes.append(f"{path.name} has no header; its columns got the names that the recipe knows.")
    names = unique_names([name or f"Unnamed: {i}" for i, name in enumerate(header)])
    if label in names:
        table = _with_written_label(table, names.index(label), content)
    frame = table.rename_columns(names).to_pandas()
    if not header[0] and (frame[names[0]] == frame.index).all():
        notes.append(f"{path.name} begins with an unnamed column that counts the rows; it was left out.")
        frame = frame.drop(columns=names[0])
    return frame


def _parse_csv(content: pa.Buffer, column: str = "", names: Sequence[str] = ()) -> pa.Table:
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


def _with_written_label(table: pa.Table, place: int, content: pa.Buffer) -> pa.Table:
    """Give the label's column as text where its numbers or times would name classes not as the file does."""
    column = table.column(place)
    if pa.types.is_string(column.type):
        return table
    text = _parse_csv(content, f"f{place}").column(0).slice(1)
    written = {str(value).strip() for value in text.unique().to_pylist() if value is not None}
    found = (value for value in column.unique().to_pylist() if value is not None)
    values = {value for value in found if value == value}  # noqa: PLR0124 - NaN is no class
    if pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        is_same = len(written) == len(values)
    else:
        is_same = written == {str(value) for value in values}
    return table if is_same else table.set_column(place, table.column_names[place], text)


def _looks_like_values(header: list[str]) -> bool:
    """Tell a row of values from a row of names: most are numbers, and they do not just count the columns."""
    numbers = pd.to_numeric(pd.Series(header), errors="coerce").dropna()
    counts = numbers.diff().iloc[1:].eq(1).all() and len(numbers) > 1
    return 2 * len(numbers) > len(header) and not counts
