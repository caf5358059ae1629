"""What kind of values a column holds, and how one is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EXACT", "LARGEST", "as_written", "is_text", "values_dtype", "within_dtype"]

LARGEST = float(np.finfo(np.float32).max)
"""The largest number that a detector reads."""

EXACT = 2**53
"""Up to it every whole number is a float; beyond it two of them may be the same one."""


def is_text(dtype: Any) -> bool:  # noqa: ANN401 - numpy's or pandas' own
    """Tell whether a dtype is of text, or of objects, which values of several kinds are."""
    return pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype)


def values_dtype(column: pd.Series) -> Any:  # noqa: ANN401 - numpy's or pandas' own
    """Give the dtype of a column's values, which are categories or not."""
    dtype = column.dtype
    return dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype


def within_dtype(numbers: NDArray[np.float64], dtype: Any) -> NDArray[np.float64]:  # noqa: ANN401 - as above
    """Give numbers of which none is beyond an integer dtype: its largest integer, as a float, is.

    Cast back, 2**63 would become the smallest int64 and 2**64 the uint64 0; the next smaller float stands
    for them. Other dtypes keep their numbers.
    """
    if pd.api.types.is_integer_dtype(dtype):
        end = 2.0**64 if pd.api.types.is_unsigned_integer_dtype(dtype) else 2.0**63
        return np.minimum(numbers, np.nextafter(end, 0.0))
    return numbers


def as_written(value: Any) -> str:  # noqa: ANN401 - a value may be of any scalar type
    """Write a value as text: a whole number without a point, as it stood before a gap made it a float."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return str(int(value)) if is_whole else str(value)
