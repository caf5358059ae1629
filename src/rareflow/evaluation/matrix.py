"""A feature frame as numbers that can be interpolated, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from rareflow.data.dtypes import LARGEST, within_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["from_matrix", "to_matrix"]


def to_matrix(X: pd.DataFrame) -> tuple[NDArray[np.float64], dict[str, pd.Index]]:
    """Give numbers, medians where they miss, and categories as codes (-1: missing).

    Numbers are clipped to the finite range of float32, as detectors read them: distances square them.

    Parameters
    ----------
    X
        Rows ``(rows, columns)``; a column without any value becomes 0.

    Returns
    -------
    tuple
        The matrix ``(rows, columns)``, and the categories by column, those that are no numbers.
    """
    matrix = np.zeros(X.shape, dtype=np.float64)
    known = {}
    for i, name in enumerate(X.columns):
        if is_numeric_dtype(X[name].dtype):
            numbers = np.clip(X[name].to_numpy(dtype=np.float64, na_value=np.nan), -LARGEST, LARGEST)
            missing = np.isnan(numbers)
            if not missing.all():
                matrix[:, i] = np.where(missing, np.median(numbers[~missing]), numbers)
        else:
            matrix[:, i], known[name] = pd.factorize(X[name])
    return matrix, known


def from_matrix(matrix: NDArray[np.float64], X: pd.DataFrame, known: dict[str, pd.Index]) -> pd.DataFrame:
    """Undo `to_matrix`: the columns and dtypes of ``X``, rounded where they hold no fractions.

    Parameters
    ----------
    matrix
        Any rows ``(rows, columns)``, codes whole.
    X, known
        What `to_matrix` was given, and the categories it gave.
    """
    columns = {}
    for i, name in enumerate(X.columns):
        values, dtype = matrix[:, i], X[name].dtype
        if name in known:
            codes = values.astype(np.intp)
            column = pd.Series(known[name].take(codes, allow_fill=True, fill_value=np.nan))
        elif X[name].isna().all():
            column = pd.Series(np.full(len(values), np.nan))
        else:
            column = pd.Series(values if is_float_dtype(dtype) else within_dtype(np.rint(values), dtype))
        columns[name] = column.astype(dtype)
    return pd.DataFrame(columns)
