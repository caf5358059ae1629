"""Parquet files, frame by frame, each frame in the form that the whole file would have.

What dtype pandas gives a column depends on its values: whole numbers with a gap are floats, truth values with
a gap objects, categories those of all rows. So a few rows that show all of this, the *witness*, are converted
together with every frame and then cut off.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rareflow.data.names import shell_names, unique_names
from rareflow.data.source import first_line
from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["ParquetPart", "settle_objects"]

# Column chunks are read so many bytes at a time, or one of a large row group would be held whole.
_BUFFER_BYTES = 1 << 20

_LONGEST = 18  # digits that any whole number of 64 bits can have

# What pyarrow hands to pandas as objects, by the name pandas has for it, and the dtype that it should have.
_OBJECTS = {
    "boolean": "boolean",
    "bytes": "str",
    "date": "datetime64[s]",
    "decimal": "float64",
    "empty": "float64",
    "time": "str",
}


def settle_objects(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Give objects that pyarrow made of a file the dtype of what they are, where there is one.

    Raises
    ------
    DataError
        If a column holds bytes that are no text.
    """
    objects = [name for name in frame.columns if pd.api.types.is_object_dtype(frame[name].dtype)]
    kinds = {name: pd.api.types.infer_dtype(frame[name]) for name in objects}
    try:
        return frame.astype({name: _OBJECTS[kind] for name, kind in kinds.items() if kind in _OBJECTS})
    except UnicodeDecodeError as err:
        names = [name for name, kind in kinds.items() if kind == "bytes"]
        raise DataError(
            f"{path}: columns {names} hold bytes that are no text; write numbers or text"
        ) from err


class ParquetPart:
    """One Parquet file.

    Parameters
    ----------
    path
        The file.
    unwanted
        Tells of a column whether nobody will use it: nested ones among them are not read.

    Attributes
    ----------
    left_out
        The nested columns that are not read.
    rows
        Number of its rows.
    witness
        Few rows, in which every column has the dtype and the categories of the whole file.

    Raises
    ------
    DataError
        If columns are nested and wanted, names occur twice, or what pandas noted in the file
        cannot be read.
    """

    def __init__(self, path: Path, unwanted: Callable[[str], bool] = lambda _: False) -> None:
        self.path = path
        with self._open() as file:
            schema, written = file.schema_arrow, file.schema_arrow.pandas_metadata or {}
            nested = [field.name for field in schema if pa.types.is_nested(field.type)]
            self.left_out = tuple(filter(unwanted, nested))
            _check(schema, [name for name in nested if not unwanted(name)], path)
            self._read = [name for name in schema.names if name not in nested]
            self.rows: int = file.metadata.num_rows
            # Parquet forgets that numbers were categories; what pandas noted beside the schema remembers.
            self._categorical = [
                column["name"]
                for column in written.get("columns", [])
                if column["pandas_type"] == "categorical"
            ]
            # An index that only counts rows is not stored; with a name it was a column once. Where it has
            # another length, the file was changed since.
            index = written.get("index_columns", [])
            self._counters = [each for each in index if isinstance(each, dict) and _counts(each, self.rows)]
            written = written | {"index_columns": [each for each in index if not isinstance(each, dict)]}
            self._metadata = {b"pandas": json.dumps(written).encode()} if "columns" in written else None
            self._rows_shown = self._show(file)
            self.witness = self._frame(self._rows_shown.slice(0, 0), 0, shown=True)

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        """Open the file; a note of pandas's in it that cannot be read is a damage like another."""
        try:
            with pq.ParquetFile(self.path, buffer_size=_BUFFER_BYTES) as file:
                yield file
        except (pa.ArrowException, DataError):
            raise
        except (AttributeError, LookupError, NotImplementedError, TypeError, ValueError) as err:
            raise DataError(
                f"{self.path}: cannot be read, is it damaged or cut short? ({first_line(err)}); "
                "write it again"
            ) from err

    def frames(self, rows: int) -> Iterator[pd.DataFrame]:
        """Yield the file's rows in order, at most so many a frame."""
        done = 0
        with self._open() as file:
            for batch in file.iter_batches(rows, columns=self._read):
                yield self._frame(pa.Table.from_batches([batch]), done)
                done += len(batch)

    def _frame(self, table: pa.Table, start: int, *, shown: bool = False) -> pd.DataFrame:
        """Convert rows of the file, of which `start` stand before them; with `shown` the witness itself."""
        both = pa.concat_tables([self._rows_shown, table.replace_schema_metadata(self._metadata)])
        frame = both.cast(_with_integers(both.schema)).to_pandas()
        # Of half-precision numbers pandas can make no index; they are single-precision numbers as well.
        frame = frame.astype({name: "float32" for name in frame.columns if frame[name].dtype == "float16"})
        names = [name for name in self._categorical if name in frame.columns]
        frame = frame.astype(dict.fromkeys(names, "category"))
        frame = frame.reset_index(drop=frame.index.names == [None])
        for counter in self._counters:
            at = pd.RangeIndex(len(frame)) - len(self._rows_shown) + start
            frame.insert(0, counter["name"], counter["start"] + counter["step"] * at)
        frame.columns = pd.Index(unique_names(list(frame.columns)))
        frame = settle_objects(frame, self.path)
        return frame if shown else frame.iloc[len(self._rows_shown) :].reset_index(drop=True)

    def _show(self, file: pq.ParquetFile) -> pa.Table:
        """Find the witness: of every column a value, all of its categories, and a gap if it has one."""
        whole = file.schema_arrow
        schema = pa.schema([whole.field(name) for name in self._read])
        found = [self._shown(file, field) for field in schema]
        length = max(map(len, found), default=0)
        columns = [pa.concat_arrays([each, *[each[-1:]] * (length - len(each))]) for each in found]
        return pa.table(columns, schema=schema.with_metadata(self._metadata))

    def _shown(self, file: pq.ParquetFile, field: pa.Field) -> pa.Array:
        """Show a column: its first value, or all of its distinct ones if they are categories; a gap last."""
        by_category = pa.types.is_dictionary(field.type) or field.name in self._categorical
        gaps, values = _gaps(file, field.name), dict[Any, None]()
        has_gap = bool(gaps)
        for batch in file.iter_batches(columns=[field.name]) if gaps != self.rows else ():
            column = batch.column(field.name)
            has_gap |= column.null_count > 0
            values |= dict.fromkeys(_distinct(column, by_category=by_category))
            if values and not by_category and (has_gap or gaps == 0):
                break
        return _array([*values, *([None] if has_gap or not values else [])], field.type)


def _check(schema: pa.Schema, nested: Sequence[str], path: Path) -> None:
    """Refuse columns that are no columns of a table."""
    if nested:
        raise DataError(
            f"{path}: columns {nested} hold nested values; leave them out with --drop {shell_names(nested)}"
        )
    repeated = sorted(name for name, count in Counter(schema.names).items() if count > 1)
    if repeated:
        raise DataError(
            f"{path}: column names {repeated} occur twice; write a file with one column of each name"
        )


def _with_integers(schema: pa.Schema) -> pa.Schema:
    """Give a schema in which decimals that are whole numbers of 64 bits, whatever they hold, are such."""
    for place, field in enumerate(schema):
        kind = field.type
        if pa.types.is_decimal(kind) and not kind.scale and kind.precision <= _LONGEST:
            schema = schema.set(place, field.with_type(pa.int64()))
    return schema


def _counts(index: dict[str, Any], rows: int) -> bool:
    """Tell whether an index described by pandas is a column that counts these rows."""
    return index["name"] is not None and len(range(index["start"], index["stop"], index["step"])) == rows


def _gaps(file: pq.ParquetFile, name: str) -> int | None:
    """Count the missing values of a column as the file's statistics have them; ``None`` if it has none."""
    # A nested column is stored as several: the place in the schema is not the place in the file.
    stored = [file.schema.column(number).path for number in range(len(file.schema))]
    number, gaps = stored.index(name), 0
    for group in range(file.num_row_groups):
        statistics = file.metadata.row_group(group).column(number).statistics
        if statistics is None or not statistics.has_null_count:
            return None
        gaps += statistics.null_count
    return gaps


def _distinct(column: pa.Array, *, by_category: bool) -> list[Any]:
    """Give the first value of a column, or as categories those that it may have."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary
    present = column.drop_null()
    found: list[Any] = (present.unique() if by_category else present[:1]).to_pylist()
    return found


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Make an array; a dictionary holds the values in their order."""
    if not pa.types.is_dictionary(kind):
        return pa.array(values, kind)
    known = [value for value in values if value is not None]
    codes = [*range(len(known)), *([None] if len(known) < len(values) else [])]
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, kind.index_type), pa.array(known, kind.value_type), ordered=kind.ordered
    )
