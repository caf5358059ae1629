"""A table where it stands, in files: its rows frame by frame, as often as they are asked for."""

from __future__ import annotations

import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from rareflow.data.columns import with_columns
from rareflow.data.dtypes import as_written, is_text, values_dtype
from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["BATCH_ROWS", "Held", "Part", "Source", "first_line", "own_buffer", "readable"]

BATCH_ROWS = 131_072
"""Rows of a frame at most: what is held of a table that is larger."""


class Part(Protocol):
    """One file of a table."""

    @property
    def path(self) -> Path:
        """The file, as messages name it."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns of the file that are not read."""

    @property
    def rows(self) -> int:
        """Number of its rows."""

    @property
    def witness(self) -> pd.DataFrame:
        """Any of its rows or none, in the dtypes and with the categories of all of them."""

    def frames(self, rows: int) -> Iterator[pd.DataFrame]:
        """Yield its rows in order, at most so many a frame, in those same dtypes."""


@dataclass(frozen=True)
class Held:
    """A part that had to be read whole, or never was a file."""

    path: Path
    frame: pd.DataFrame
    left_out: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of its rows."""
        return len(self.frame)

    @property
    def witness(self) -> pd.DataFrame:
        """No row, but every dtype."""
        return self.frame.iloc[:0]

    def frames(self, rows: int) -> Iterator[pd.DataFrame]:
        """Yield its rows in order."""
        if self.rows <= rows:
            yield self.frame
            return
        for start in range(0, self.rows, rows):
            yield self.frame.iloc[start : start + rows].reset_index(drop=True)


class Source:
    """The parts of a table below each other, the columns in the order of the first.

    Text is trimmed of white space, and missing where nothing is left. A column that is text in one part is so
    in all: numbers are written out there, without a point where they are whole.

    Parameters
    ----------
    parts
        One or more.
    notes
        What was tolerated when they were opened.
    unwanted
        Tells of a column whether nobody will use it: such that not all parts have are left out.

    Attributes
    ----------
    head
        The table's columns with their dtypes, and no row.
    columns
        The names of those, and of columns that are not read.

    Raises
    ------
    DataError
        If a part has other columns than the first.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        notes: tuple[str, ...] = (),
        unwanted: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.parts, self.notes = parts, notes
        heads = [_trimmed(part.witness) for part in parts]
        seen = Counter(str(name) for head in heads for name in head.columns)
        rare = [name for name, count in seen.items() if count < len(heads) and unwanted(name)]
        heads = [head.drop(columns=rare, errors="ignore") for head in heads]
        self.head = _concatenate([part.path for part in parts], heads).iloc[:0]
        left_out = dict.fromkeys(chain.from_iterable(part.left_out for part in parts))
        self.columns = [*self.head.columns, *left_out, *rare]

    def frames(self, notes: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the table's rows in order without those in which every value is missing.

        Parameters
        ----------
        notes
            Takes a sentence for every part that had such rows, or text to be trimmed.

        Raises
        ------
        DataError
            If a part is damaged, or holds no row but such ones.
        """
        for part in self.parts:
            left, trimmed = part.rows, dict[str, None]()
            with readable(part.path):
                for frame in part.frames(BATCH_ROWS):
                    kept = _without_blank_rows(_trimmed(frame, trimmed))
                    left -= len(frame) - len(kept)
                    if len(kept):
                        yield self._brought(kept)
            if trimmed and notes is not None:
                names = ", ".join(trimmed)
                notes.append(f"{part.path.name} has blanks around text, which were removed: {names}.")
            if not left:
                raise DataError(f"{part.path}: holds blank rows only; give --data a file with values")
            if left < part.rows and notes is not None:
                notes.append(f"{part.path.name} holds {part.rows - left} blank rows; they were dropped.")

    def place(self, row: int) -> str:
        """Name a row, which `frames` gives so many before, from 0: its number in its file, and that file."""
        for part in self.parts:
            before = 0
            for frame in part.frames(BATCH_ROWS):
                kept = np.flatnonzero(~_blank_rows(_trimmed(frame)))
                if row < len(kept):
                    number = before + int(kept[row]) + 1
                    return f"row {number}" if len(self.parts) == 1 else f"row {number} of {part.path.name}"
                row -= len(kept)
                before += len(frame)
        raise IndexError(row)

    def _brought(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give a part's rows in the table's columns and dtypes."""
        written = {}
        for name, dtype in self.head.dtypes.items():
            if is_text(dtype) and pd.api.types.is_numeric_dtype(values_dtype(frame[name])):
                values = frame[name].dropna().unique().tolist()
                texts = dict(zip(values, map(as_written, values), strict=True))
                written[str(name)] = frame[name].astype(object).map(texts)
        frame = with_columns(frame, written)
        return frame[self.head.columns].astype(self.head.dtypes.to_dict())


def own_buffer(content: bytes) -> pa.Buffer:
    """Copy text to memory of Arrow's own.

    Its readers' threads may let go of it when Python is ending: then they must not need Python's lock.
    """
    buffer = pa.allocate_buffer(len(content))
    pa.FixedSizeBufferWriter(buffer).write(content)
    return buffer


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read which one it is."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, zlib.error) as err:
        raise DataError(f"{path}: cannot be read, is it damaged or cut short? ({first_line(err)})") from err


def first_line(err: Exception) -> str:
    """Give what an error says first, or its name if it says nothing."""
    lines = str(err).splitlines()
    return lines[0][:200] if lines else type(err).__name__


def _trimmed(frame: pd.DataFrame, told: dict[str, None] | None = None) -> pd.DataFrame:
    """Take white space off text, and text that is nothing else; columns with such space are told by name."""
    changed = {}
    for name in frame.columns:
        column = frame[name]
        if not is_text(values_dtype(column)):
            continue
        dtype: Any = column.dtype
        is_category = isinstance(dtype, pd.CategoricalDtype)
        values = dtype.categories if is_category else column.dropna().unique()
        texts = [each for each in values if isinstance(each, str)]
        bare = {each: each.strip() or None for each in texts if not each or each != each.strip()}
        if not bare:
            continue
        if told is not None and bare.keys() != {""}:
            told[str(name)] = None
        if is_category:
            new = dict.fromkeys(bare.get(value, value) for value in values)
            dtype = pd.CategoricalDtype([value for value in new if value is not None])
        changed[name] = (
            column.astype(object).map(lambda value, bare=bare: bare.get(value, value)).astype(dtype)
        )
    return with_columns(frame, changed)


def _without_blank_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows in which every value is missing."""
    blank = _blank_rows(frame)
    return frame[~blank].reset_index(drop=True) if blank.any() else frame


def _blank_rows(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell in which rows every value is missing, ``(rows,)``."""
    blank = frame.iloc[:, 0].isna().to_numpy()
    for name in frame.columns[1:]:
        if not blank.any():
            break
        blank = blank & frame[name].isna().to_numpy()
    return blank


def _concatenate(paths: list[Path], frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the frames one below the other, the columns in the order of the first."""
    (first, *further_paths), (frame, *others) = paths, frames
    names = frame.columns
    for path, other in zip(further_paths, others, strict=True):
        lacking, further = names.difference(other.columns), other.columns.difference(names)
        if len(lacking) or len(further):
            raise DataError(
                f"{path}: its columns are not those of {first} (it lacks {list(lacking)}, "
                f"it has besides {list(further)}); give --data files with the same columns, or leave out "
                "with --drop what one of them lacks"
            )
    categories = {name: _shared_categories([frame[name] for frame in frames]) for name in names}
    dtypes = {name: dtype for name, dtype in categories.items() if dtype is not None}
    return pd.concat([frame.astype(dtypes) for frame in frames], ignore_index=True) if others else frame


def _shared_categories(columns: list[pd.Series]) -> pd.CategoricalDtype | None:
    """Give the union of the categories, without which a categorical column would fall apart into objects."""
    if not all(isinstance(column.dtype, pd.CategoricalDtype) for column in columns):
        return None
    return pd.CategoricalDtype(
        list(dict.fromkeys(chain.from_iterable(column.cat.categories for column in columns)))
    )
