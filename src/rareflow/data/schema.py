"""What each column of a table is: its kind, its dtype for the way back, its observed range or categories."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from rareflow.errors import DataError

__all__ = ["MAX_CATEGORIES", "Column", "ColumnTally", "Kind", "Schema"]

MAX_CATEGORIES = 1_000
"""Categories of a column that a generator learns at most: its block in codec space is as wide."""

_BINARY_VALUES = 2


class Kind(StrEnum):
    """How a column behaves, whatever dtype it is stored in."""

    CONTINUOUS = "continuous"
    INTEGER = "integer"
    CATEGORICAL = "categorical"
    BINARY = "binary"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Column:
    """One feature column.

    Parameters
    ----------
    name
        The column's name in the table.
    kind
        ``integer`` also covers floats that only ever hold whole numbers; ``binary`` two distinct values of
        any dtype, a missing one among them; ``constant`` one, or none that is not missing.
    dtype
        The pandas dtype's name, to which generated values return.
    low, high
        Observed finite range of a numeric column, in the column's own unit; ``None`` otherwise, and where
        every value is missing.
    categories
        Observed values of a non-numeric column, sorted as text; empty for a numeric one.
    missing
        Whether missing values were observed.
    """

    name: str
    kind: Kind
    dtype: str
    low: float | None = None
    high: float | None = None
    categories: tuple[Any, ...] = ()
    missing: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether the column holds numbers (booleans count as categories)."""
        return self.low is not None

    @classmethod
    def infer(cls, values: pd.Series) -> Column:
        """Read a column's kind, range and categories off its values.

        Raises
        ------
        DataError
            If a number is infinite.
        """
        seen = ColumnTally(str(values.name), values.dtype)
        seen.add(values)
        return seen.column


class ColumnTally:
    """What has been seen of a column so far.

    Parameters
    ----------
    name, dtype
        The column's; all of its values have this dtype.

    Attributes
    ----------
    missing
        Number of missing values seen.
    """

    def __init__(self, name: str, dtype: Any) -> None:  # noqa: ANN401 - numpy's or pandas' own
        self.name, self.dtype, self.missing = name, dtype, 0
        self._is_numeric = is_numeric_dtype(dtype) and not is_bool_dtype(dtype)
        self._values: dict[Any, None] = {}
        self._low, self._high, self._whole, self._many = math.inf, -math.inf, True, False

    def add(self, values: pd.Series) -> None:
        """Look at further values.

        Raises
        ------
        DataError
            If a number is infinite.
        """
        present = values.dropna()
        self.missing += len(values) - len(present)
        if present.empty:
            return
        if self._is_numeric:
            self._add_numbers(present)
        else:
            self._values |= dict.fromkeys(map(_plain, present.unique()))

    def _add_numbers(self, present: pd.Series) -> None:
        numbers = present.to_numpy(dtype=np.float64)
        if not np.isfinite(numbers).all():
            bad = numbers[~np.isfinite(numbers)][0]
            raise DataError(
                f"column {self.name!r} holds infinite values ({bad} is the first); "
                "make them missing, as X.replace([np.inf, -np.inf], np.nan) does, or drop their rows"
            )
        self._whole = self._whole and bool((numbers == np.rint(numbers)).all())
        self._low, self._high = min(self._low, float(numbers.min())), max(self._high, float(numbers.max()))
        if not self._many:
            # In the column's own dtype: as floats, two integers beyond 2**53 could be the same.
            own = present.to_numpy()
            low, high = own.min(), own.max()
            self._values |= {_plain(low): None, _plain(high): None}
            self._many = not ((own == low) | (own == high)).all() or len(self._values) > _BINARY_VALUES

    @property
    def column(self) -> Column:
        """The column as far as it has been seen; of a part of a table, every value may be missing."""
        missing = self.missing > 0
        distinct = _BINARY_VALUES + 1 if self._many else len(self._values)
        if self._is_numeric and self._values:
            kind = _kind(distinct, missing=missing, other=Kind.INTEGER if self._whole else Kind.CONTINUOUS)
            return Column(self.name, kind, str(self.dtype), self._low, self._high, (), missing)
        kind = _kind(distinct, missing=missing, other=Kind.CATEGORICAL)
        dtype = "category" if isinstance(self.dtype, pd.CategoricalDtype) else str(self.dtype)
        categories = tuple(sorted(self._values, key=str))
        return Column(self.name, kind, dtype, None, None, categories, missing)


def _kind(distinct: int, *, missing: bool, other: Kind) -> Kind:
    """Give the kind by the number of distinct present values; a missing value is a further one."""
    if distinct + missing == 1:
        return Kind.CONSTANT
    return Kind.BINARY if distinct + missing == _BINARY_VALUES else other


def _plain(value: Any) -> Any:  # noqa: ANN401 - a category may be of any scalar type
    """Turn a numpy scalar into the Python value that JSON can hold."""
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class Schema:
    """The feature columns of a table in order, and which of them are clocks.

    Parameters
    ----------
    columns
        One entry a feature column; the label is not among them.
    clocks
        Columns that make every row unique (times, identifiers): features, but left out wherever rows are
        compared for being duplicates.
    """

    columns: tuple[Column, ...]
    clocks: tuple[str, ...] = ()

    @classmethod
    def infer(cls, features: pd.DataFrame, *, clocks: tuple[str, ...] = ()) -> Schema:
        """Read the schema of a feature frame, shape ``(rows, columns)``."""
        return cls(tuple(Column.infer(features[name]) for name in features.columns), clocks)

    @property
    def names(self) -> list[str]:
        """The feature columns' names, in order."""
        return [column.name for column in self.columns]
