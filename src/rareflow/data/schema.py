"""What each column of a table is: its kind, its dtype for the way back, its observed range or categories."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from rareflow.errors import DataError

__all__ = ["Column", "Kind", "Schema"]

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
        any dtype; ``constant`` one.
    dtype
        The pandas dtype's name, to which generated values return.
    low, high
        Observed finite range of a numeric column, in the column's own unit; ``None`` otherwise.
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
            If every value is missing, or a number is infinite.
        """
        name = str(values.name)
        present = values.dropna()
        if present.empty:
            raise DataError(f"column {name!r} holds no value at all; leave it out with --drop {name!r}")
        missing = len(present) < len(values)
        if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
            numbers = present.to_numpy(dtype=np.float64)
            if not np.isfinite(numbers).all():
                bad = numbers[~np.isfinite(numbers)][0]
                raise DataError(
                    f"column {name!r} holds infinite values ({bad} is the first); "
                    "say what they mean with --infinities missing|drop, or name a --recipe that knows them"
                )
            whole = bool((numbers == np.rint(numbers)).all())
            kind = _kind(_few(present), missing=missing, other=Kind.INTEGER if whole else Kind.CONTINUOUS)
            return cls(name, kind, str(values.dtype), float(numbers.min()), float(numbers.max()), (), missing)
        categories = tuple(sorted((_plain(value) for value in present.unique()), key=str))
        kind = _kind(len(categories), missing=missing, other=Kind.CATEGORICAL)
        dtype = "category" if isinstance(values.dtype, pd.CategoricalDtype) else str(values.dtype)
        return cls(name, kind, dtype, None, None, categories, missing)


def _few(present: pd.Series) -> int:
    """Count the distinct numbers of a column to three, which is as many as matter here.

    In the column's own dtype: as floats, two integers beyond 2**53 could be the same.
    """
    numbers = present.to_numpy()
    low, high = numbers.min(), numbers.max()
    if low == high:
        return 1
    return 2 if ((numbers == low) | (numbers == high)).all() else 3


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

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Give the schema as JSON can hold it; `from_dict` reads it back."""
        return {"columns": [asdict(column) for column in self.columns], "clocks": list(self.clocks)}

    @classmethod
    def from_dict(cls, spec: dict[str, Any]) -> Schema:
        """Read what `to_dict` wrote."""
        columns = tuple(
            Column(**{**entry, "kind": Kind(entry["kind"]), "categories": tuple(entry["categories"])})
            for entry in spec["columns"]
        )
        return cls(columns, tuple(spec["clocks"]))
