"""A column on its way back: from modes and scalars to the table's own values and dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from .kernels import Array
    from .layout import Draw

__all__ = ["column", "is_held", "known", "nearest", "taken", "typed"]


def nearest(observed: Array, values: Array) -> Array:
    """Give the nearest of some sorted observed numbers for each value; NaN, at their end, is none."""
    observed = observed[~np.isnan(observed)]
    if not len(observed):
        return values
    return observed[np.searchsorted(observed[:-1] / 2 + observed[1:] / 2, values)]


def known(entry: dict[str, Any]) -> Array:
    """Give the values of a column's modes; missing is NaN in a numeric column, else ``None``."""
    if not entry["numeric"]:
        return np.array(entry["modes"], dtype=object)
    return np.array([np.nan if value is None else value for value in entry["modes"]])


def column(entry: dict[str, Any], draw: Draw) -> pd.Series:
    """Write one column: its scalar, its mode's value, or the one value that it ever has."""
    if entry["scalar"] is not None:
        return typed(draw.scalars[entry["scalar"]], entry)
    mode = np.zeros(len(draw), np.intp) if entry["block"] is None else draw.modes[entry["block"]]
    return taken(typed(known(entry), entry), mode)


def taken(values: pd.Series, rows: Array) -> pd.Series:
    """Take values by number, repeatedly, in their own dtype."""
    return pd.Series(values.array.take(rows), dtype=values.dtype, copy=False)


def typed(values: Array, entry: dict[str, Any]) -> pd.Series:
    """Give values the column's own dtype."""
    if entry["dtype"] == "category":
        categories = pd.Index(entry["categories"], dtype=_dtype(entry["categories_dtype"]))
        return pd.Series(pd.Categorical(values, categories, ordered=entry["ordered"]))
    return pd.Series(values, copy=False).astype(_dtype(entry["dtype"]))


def _dtype(name: str) -> Any:  # noqa: ANN401 - pandas' own
    """Give the dtype of a name; Arrow's own text has one that pandas reads as its other kind of text."""
    if name != "string[pyarrow]":
        return name
    import pyarrow as pa  # noqa: PLC0415 - only ever needed where the table had it

    return pd.ArrowDtype(pa.string())


def is_held(values: Array, entry: dict[str, Any]) -> bool:
    """Tell whether a column's dtype holds these values as they are."""
    try:
        series = typed(values, entry)
        if values.dtype == object and not entry.get("numeric"):
            return bool(series.isna().sum() == pd.isna(values).sum())
        return np.array_equal(series.to_numpy(np.float64, na_value=np.nan), values, equal_nan=True)
    except (ArithmeticError, TypeError, ValueError, Warning):
        return False
