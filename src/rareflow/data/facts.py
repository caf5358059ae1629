"""What the checks have to know of all rows of a table, gathered frame by frame in one go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Facts", "is_infinite"]


@dataclass
class Facts:
    """Facts about the rows seen so far.

    Parameters
    ----------
    label
        The label column's name.
    numbers
        Columns whose values, where they are numbers, are no categories.
    declared
        Columns whose distinct values are wanted.
    drops_infinite
        Whether rows with infinite values count as gone wherever labels are counted.

    Attributes
    ----------
    empty
        Columns without a value so far; an infinite number is none.
    infinite
        Rows with an infinite value, by column; columns that have none are not named.
    infinite_rows
        Rows with an infinite value in any column.
    whole
        The smallest and the largest value of each column of whole numbers, exact.
    unlabelled, first_unlabelled
        Number of rows kept without a label, and the number of the first among all rows, from 0.
    """

    label: str
    numbers: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    drops_infinite: bool = False
    empty: set[str] = field(default_factory=set)
    infinite: dict[str, int] = field(default_factory=dict)
    infinite_rows: int = 0
    whole: dict[str, tuple[int, int]] = field(default_factory=dict)
    unlabelled: int = 0
    first_unlabelled: int = 0
    _seen: int = 0
    _labels: list[pd.Series] = field(default_factory=list)
    _counts: list[NDArray[np.intp]] = field(default_factory=list)
    _values: dict[str, list[pd.Series]] = field(default_factory=dict)

    def gather(self, frames: Iterable[pd.DataFrame], columns: Iterable[str]) -> Facts:
        """Look at all rows of a table of these columns."""
        self.empty = set(columns)
        for frame in frames:
            self._add(frame)
        return self

    def _add(self, frame: pd.DataFrame) -> None:
        self.empty -= {name for name in self.empty if (frame[name].notna() & ~is_infinite(frame[name])).any()}
        for name in self.declared:
            self._values.setdefault(name, []).append(_told_apart(frame[name].dropna()).drop_duplicates())
        infinite = np.zeros(len(frame), dtype=bool)
        for name in self.numbers:
            if pd.api.types.is_integer_dtype(frame[name].dtype) and frame[name].notna().any():
                low, high = int(frame[name].min()), int(frame[name].max())
                before = self.whole.get(name, (low, high))
                self.whole[name] = min(low, before[0]), max(high, before[1])
            rows = is_infinite(frame[name])
            if rows.any():
                self.infinite[name] = self.infinite.get(name, 0) + int(rows.sum())
                infinite |= rows
        self.infinite_rows += int(infinite.sum())
        self._add_labels(frame[self.label], ~infinite if self.drops_infinite else np.ones_like(infinite))

    def _add_labels(self, labels: pd.Series, kept: NDArray[np.bool_]) -> None:
        # A label all of whose rows go is known to the recipe all the same; it counts 0 rows.
        told_apart = _told_apart(labels)
        codes, _ = pd.factorize(told_apart)
        distinct = labels[(codes >= 0) & ~told_apart.duplicated()]
        missing = (codes < 0) & kept
        if missing.any() and not self.unlabelled:
            self.first_unlabelled = self._seen + int(missing.argmax())
        self.unlabelled += int(missing.sum())
        self._labels.append(distinct)
        self._counts.append(np.bincount(codes[kept & (codes >= 0)], minlength=len(distinct)))
        self._seen += len(labels)

    @property
    def labels(self) -> pd.DataFrame:
        """The labels met, in the label column's dtype and under its name; one may stand there repeatedly."""
        return pd.concat(self._labels, ignore_index=True).to_frame()

    @property
    def label_rows(self) -> NDArray[np.intp]:
        """Rows of each of `labels`."""
        return np.concatenate(self._counts)

    def values(self, name: str) -> pd.Series:
        """Give the distinct values of a declared column, in the order in which they were met."""
        return pd.concat(self._values[name], ignore_index=True).drop_duplicates()


def _told_apart(column: pd.Series) -> pd.Series:
    """Give values by which equals of different text differ: among objects, 7 and 7.0 are two classes."""
    return column.astype("str") if pd.api.types.is_object_dtype(column.dtype) else column


def is_infinite(column: pd.Series) -> NDArray[np.bool_]:
    """Tell which values are infinite, shape ``(rows,)``; only floats can be."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return np.zeros(len(column), dtype=bool)
    return np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan))
