"""Rows as plain arrays, as points and as identities: what fidelity and privacy measure in and compare by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Rows", "by_class", "encode", "points", "row_ids", "stack"]

_REACH = 1e150  # numbers beyond it count as if they stood there: no quotient of two overflows
_ODD = np.uint64(0x9E3779B97F4A7C15)  # so that multiplying loses nothing
_HALF = 0.5**0.5  # two categories that differ are then at a distance of 1


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table without pandas, which is slow at many small parts.

    Parameters
    ----------
    numbers
        Numeric columns, shape ``(rows, N)``; missing is NaN.
    codes
        Categories by number, shape ``(rows, K)``; missing is 0.
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.intp]

    def take(self, rows: Any) -> Rows:  # noqa: ANN401 - row numbers, a mask or a slice
        """Give some of the rows."""
        return Rows(self.numbers[rows], self.codes[rows])

    def draw(self, most: int, seed: int) -> Rows:
        """Give at most so many rows, drawn without replacement; all, in order, if there are no more."""
        if len(self) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False)))

    def __len__(self) -> int:
        return len(self.numbers)


def stack(*parts: Rows) -> Rows:
    """Put rows of one encoding below each other."""
    return Rows(
        np.concatenate([part.numbers for part in parts]), np.concatenate([part.codes for part in parts])
    )


def encode(*frames: pd.DataFrame) -> list[Rows]:
    """Take frames of the same columns, found by name, to arrays.

    A column is one of numbers (booleans among them) if it is numeric in every frame, else one of categories,
    which have the same number in every frame.

    Raises
    ------
    DataError
        If a frame lacks a column of the first one.
    """
    names = list(frames[0].columns)
    for frame in frames:
        if lacking := [name for name in names if name not in frame.columns]:
            raise DataError(
                f"column {lacking[0]!r} of the real rows is missing in the rows to compare with them; "
                "give both the same columns"
            )
    numeric = [name for name in names if all(is_numeric_dtype(frame[name].dtype) for frame in frames)]
    others = [name for name in names if name not in set(numeric)]
    ends = np.cumsum([len(frame) for frame in frames])
    codes = np.empty((int(ends[-1]), len(others)), dtype=np.intp)
    for i, name in enumerate(others):
        values = np.concatenate([frame[name].astype(object).to_numpy() for frame in frames])
        codes[:, i] = pd.factorize(values)[0] + 1
    parts = np.split(codes, ends[:-1])
    return [Rows(_floats(frame, numeric), part) for frame, part in zip(frames, parts, strict=True)]


def by_class(
    labels: NDArray[Any], *parts: tuple[pd.DataFrame, NDArray[Any]]
) -> Iterator[tuple[str, list[Rows]]]:
    """Give each class that occurs in ``labels``, by name, with its rows in each part (perhaps none).

    Raises
    ------
    DataError
        If features and labels of a part differ in length, or a part lacks a column of the first one.
    """
    for X, y in parts:
        if len(X) != len(y):
            raise DataError(f"{len(X)} rows of features cannot be measured with {len(y)} labels")
    names = sorted(set(labels))
    classes = [pd.Index(names, dtype=object).get_indexer(pd.Index(y, dtype=object)) for _, y in parts]
    kept = [X.iloc[np.flatnonzero(own >= 0)] for (X, _), own in zip(parts, classes, strict=True)]
    classes = [own[own >= 0] for own in classes]
    encoded = encode(*kept)
    for i, name in enumerate(names):
        yield name, [rows.take(own == i) for rows, own in zip(encoded, classes, strict=True)]


def points(reference: Rows, *parts: Rows) -> list[NDArray[np.float64]]:
    """Place rows in one space where Euclidean distance is meaningful and robust.

    A number becomes ``arcsinh((x - median) / scale)``, where ``scale`` is the median distance from the median
    of the reference numbers that are not at it: about linear for typical values, logarithmic beyond, so that
    values to 1e38 or a heavy tail do not drown the other columns. A missing number stands at the median, and
    at 1 in an extra dimension. A category is a one-hot block scaled such that two that differ are at a
    distance of 1; a missing one is one more category.

    Parameters
    ----------
    reference
        Rows that median and scale are read off.
    parts
        Rows to place, from the same call of `encode` or `by_class`.

    Returns
    -------
    list
        One array a part, shape ``(rows, dimensions)``, finite.
    """
    rows = stack(*parts)
    missing = np.isnan(rows.numbers)
    centre, scale = _centre_and_scale(reference.numbers)
    near = np.clip(np.where(missing, centre, rows.numbers), -_REACH, _REACH)
    blocks = [np.arcsinh((near - centre) / scale), missing[:, missing.any(axis=0)].astype(np.float64)]
    blocks += [_one_hot(column) for column in rows.codes.T]
    return np.split(np.concatenate(blocks, axis=1), np.cumsum([len(part) for part in parts])[:-1])


def row_ids(*parts: Rows) -> list[NDArray[np.uint64]]:
    """Give each row a number that rows equal in all columns share, over all parts, shape ``(rows,)`` each.

    Numbers are equal as float64 (``1``, ``1.0`` and ``True`` are), a missing value equals a missing value.
    The numbers are 64-bit hashes: two rows that differ share one with a probability of about 1e-19.
    """
    return [_ids(part) for part in parts]


def _ids(rows: Rows) -> NDArray[np.uint64]:
    """Hash rows column by column, so that no second copy of the table is held."""
    ids = np.zeros(len(rows), dtype=np.uint64)
    for column in (*rows.numbers.T, *rows.codes.T):
        one = np.where(np.isnan(column), np.nan, column + 0.0)  # NaN and zero in one form each
        ids ^= pd.util.hash_array(one)
        ids *= _ODD
    return ids


def _floats(frame: pd.DataFrame, names: list[Any]) -> NDArray[np.float64]:
    """Give columns of numbers as float64, missing as NaN."""
    numbers = np.empty((len(frame), len(names)))
    for i, name in enumerate(names):
        numbers[:, i] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _centre_and_scale(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give each column's median, and the median distance from it of the numbers not at it."""
    near = np.clip(numbers, -_REACH, _REACH)
    centre = _middle(near, 0.0)
    away = np.abs(near - centre)
    return centre, np.maximum(_middle(np.where(away > 0, away, np.nan), 1.0), 1 / _REACH)


def _middle(numbers: NDArray[np.float64], otherwise: float) -> NDArray[np.float64]:
    """Give each column's lower median, a number that is there: nothing is added up and overflows."""
    if not len(numbers):
        return np.full(numbers.shape[1], otherwise)
    here = (~np.isnan(numbers)).sum(axis=0)  # NaN is sorted last
    middle = np.take_along_axis(np.sort(numbers, axis=0), np.maximum(here - 1, 0)[None] // 2, axis=0)[0]
    return np.where(here > 0, middle, otherwise)


def _one_hot(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Give the scaled one-hot block of the categories that occur, shape ``(rows, categories)``."""
    known, at = np.unique(codes, return_inverse=True)
    block = np.zeros((len(codes), len(known)))
    block[np.arange(len(codes)), at] = _HALF
    return block
