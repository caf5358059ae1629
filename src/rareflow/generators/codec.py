"""The codec: a table's columns to codec space. The way back is in `portable`.

Every numeric column may have *spikes*, values so frequent (zeros, flags, constants of one class) that a tree
splits on them: they become modes of a one-hot block and come back exact. What is no spike becomes a scalar:

- ``asinh``: standardised inverse hyperbolic sine of the median-centred value, linear near the median and
  logarithmic in the tails, so that values to 1e38 leave the ordinary ones apart.
- ``quantile``: the rank among the training values, standardised.
- ``zscore``: the paper's Eq. 1, without spikes; kept as the paper's control.

Categories, missing values and discrete numbers are modes too. All is fitted on training rows only. Numbers
are float64 on the way, which cannot tell integers beyond 2**53 apart: columns of several are refused. A
column keeps its decimals: what is written with two of them, as rates often are, comes back with two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_hashable, is_integer_dtype, is_object_dtype

from rareflow.data.dtypes import EXACT, values_dtype
from rareflow.data.schema import MAX_CATEGORIES, Column, Kind
from rareflow.errors import DataError
from rareflow.generators.portable import Layout, is_dtype
from rareflow.generators.scalars import fit_scalar, scale_numbers

__all__ = ["Codec", "Encoded", "category_entry", "check_dtype"]

_SPIKE_SHARE = 0.03  # of the class-balanced weight
_MAX_SPIKES = 16
_ROWS_PER_VALUE = 8  # a number is discrete where each of its values stands for this many rows
_FEW = 32  # values are weighed one by one; of more, the light ones are sorted out before
_SLACK = 1.0 - 1e-6  # sums in another order differ by a rounding
_NO_TEXT = re.compile(r"[\ud800-\udfff]")  # lone surrogates, as Python keeps bytes that it cannot decode

Array = NDArray[Any]


@dataclass(frozen=True)
class Encoded:
    """Rows in codec space.

    Parameters
    ----------
    scaled
        Scaled scalars, ``(N, S)``; a missing one stands at its column's median.
    modes
        Mode of each block, ``(N, B)``.
    raw
        Scalars in the table's own units, ``(N, S)``; NaN where missing.
    """

    scaled: NDArray[np.float32]
    modes: NDArray[np.int16]
    raw: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> Encoded:
        """Give these rows, in this order."""
        return Encoded(self.scaled[rows], self.modes[rows], self.raw[rows])


@dataclass(frozen=True)
class _Coded:
    """How one column is coded: values that are modes (``None`` is missing), and the way of others, if any."""

    column: Column
    modes: tuple[Any, ...]
    scalar: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        """Modes of the column's block; 1 or 0 means that it has none."""
        return len(self.modes) + (self.scalar is not None)

    @classmethod
    def fit(cls, values: pd.Series, weight: Array, codec: str) -> _Coded:
        column = Column.infer(values)
        gap = (None,) if column.missing else ()
        if not column.is_numeric:
            _check_categories(column)
            return cls(column, (*column.categories, *gap))
        if column.kind is Kind.CONSTANT:
            return cls(column, tuple(values.dropna().iloc[:1].tolist()))
        _check_whole(values)
        numbers, total = _numbers(values), weight.sum()
        if column.missing:
            here = ~np.isnan(numbers)
            numbers, weight = numbers[here], weight[here]
        ordered = np.sort(numbers)
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        discrete = min(_MAX_SPIKES, len(numbers) / _ROWS_PER_VALUE) if codec != "zscore" else 0
        if len(starts) <= max(1, discrete):
            return cls(column, (*ordered[starts].tolist(), *gap))
        spikes = _spikes(numbers, weight, total, ordered, starts) if codec != "zscore" else []
        return cls(column, (*spikes, *gap), fit_scalar(numbers, ordered, codec))

    def modes_of(self, values: pd.Series) -> NDArray[np.int16]:
        """Give the number of each value's mode; what is none of them gets the last, "some other number"."""
        known = [mode for mode in self.modes if mode is not None]
        if self.column.is_numeric:
            numbers = _numbers(values)
            found = np.full(len(numbers), -1, dtype=np.int16)
            for number, mode in enumerate(known):
                found += (numbers == mode) * np.int16(number + 1)
        else:
            codes, distinct = pd.factorize(values)
            at = pd.Index(known, dtype=object).get_indexer(pd.Index(distinct, dtype=object))
            found = np.append(at, -1).astype(np.int16)[codes]
        if self.column.missing:
            found[values.isna()] = len(known)
        strange = found < 0
        if self.scalar is None and strange.any():
            first = values[strange].tolist()[0]
            raise DataError(f"column {self.column.name!r} holds {first!r}, which the training rows do not")
        found[strange] = len(self.modes)
        return found


def _check_whole(values: pd.Series) -> None:
    """Refuse whole numbers of which floats lack some."""
    if is_integer_dtype(values.dtype) and max(-int(values.min()), int(values.max())) > EXACT:
        raise DataError(
            f"column {values.name!r} holds whole numbers beyond 2**53 ({values.min()} to {values.max()}), "
            "which floats cannot tell apart; leave it out of X or, where they are names, make it categorical "
            "(astype('category'))"
        )


def _spikes(numbers: Array, weight: Array, total: float, ordered: Array, starts: Array) -> list[float]:
    """Give the values that are repeated and hold a share of the weight, in order.

    Parameters
    ----------
    numbers, weight
        A column's values and their weights, ``(N,)``.
    total
        The weight of all rows, those with a missing value among them.
    ordered, starts
        The values sorted, and where in them each distinct one begins.

    Notes
    -----
    Few values can be spikes: by how often they occur at the largest weight, and else by a sum over the rows
    sorted. Those alone are weighed row by row, so that rounding never depends on how a sort leaves equals.
    """
    counts = np.diff(starts, append=len(ordered))
    likely = counts * weight.max() >= _SPIKE_SHARE * total * _SLACK
    if np.count_nonzero(likely) > _FEW:
        sums = np.add.reduceat(weight.take(np.argsort(numbers)), starts)
        likely &= sums >= _SPIKE_SHARE * total * _SLACK
    values, repeated = ordered[starts[likely]], counts[likely] > 1
    share = np.array([weight.compress(numbers == value).cumsum()[-1] for value in values]) / total
    heaviest = np.argsort(-share, kind="stable")[:_MAX_SPIKES]
    spikes = heaviest[(share[heaviest] >= _SPIKE_SHARE) & repeated[heaviest]]
    found: list[float] = values[np.sort(spikes)].tolist()
    return found


def _check_categories(column: Column) -> None:
    """Refuse categories that a one-hot block or a JSON file cannot hold."""
    if len(column.categories) > MAX_CATEGORIES:
        raise DataError(
            f"column {column.name!r} has {len(column.categories)} categories, more than {MAX_CATEGORIES}; "
            "leave it out, merge its rare categories, or give its numbers a numeric dtype"
        )
    for value in column.categories:
        if not isinstance(value, str | int | float):
            raise DataError(
                f"column {column.name!r} holds {value!r}, a {type(value).__name__}; "
                "turn it into numbers, text or booleans"
            )


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    """Give a numeric column as float64, missing as NaN."""
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


class Codec:
    """Fitted on training rows by `fit`; then `encode` takes rows to codec space.

    Parameters
    ----------
    kind
        One of `CODECS`.

    Attributes
    ----------
    layout
        Where scalars and blocks stand in codec space.
    columns
        One description a column, as JSON can hold it: what the way back needs.
    scale
        The scalars' ways there and back, by name, each ``(S,)`` (``references``: ``(S, quantiles)``).
    """

    def __init__(self, kind: str = "asinh") -> None:
        self.kind = kind

    def fit(self, X: pd.DataFrame, weight: NDArray[np.float64]) -> Codec:
        """Learn modes and scales.

        Parameters
        ----------
        X
            Features, shape ``(N, columns)``.
        weight
            A weight a row, shape ``(N,)``, such that every class weighs the same: a value that is constant
            in a class of ten rows is then a spike as much as one of the largest class.

        Raises
        ------
        DataError
            If a column holds an infinite number, integers beyond 2**53 where it varies, too many categories
            or what is no number or text, or has a dtype that has no way back.
        """
        for name in X.columns:
            check_dtype(
                X[name], f"column {name!r}", "turn it into numbers, text or booleans, or leave it out"
            )
        coded = [_Coded.fit(X[name], weight, self.kind) for name in X.columns]
        blocks = sorted((c for c in coded if c.size > 1), key=lambda c: c.size)
        scalars = {c.column.name: c.scalar for c in coded if c.scalar is not None}
        self._blocks = {c.column.name: (i, c) for i, c in enumerate(blocks)}
        self._scalars = {name: i for i, name in enumerate(scalars)}
        self.layout = Layout(len(scalars), tuple(c.size for c in blocks))
        self.columns = [self._entry(c, X[c.column.name]) for c in coded]
        self.scale: dict[str, Array] = {
            key: np.array([one[key] for one in scalars.values()]) for key in next(iter(scalars.values()), {})
        }
        return self

    def encode(self, X: pd.DataFrame) -> Encoded:
        """Take rows ``(N, columns)`` to codec space.

        Raises
        ------
        DataError
            If a column of categories or discrete numbers holds a value that `fit` has not seen.
        """
        raw = np.empty((len(X), len(self._scalars)))
        scaled = np.empty_like(raw, dtype=np.float32)
        for name, i in self._scalars.items():
            numbers = _numbers(X[name])
            raw[:, i] = numbers
            one = {key: value[i] for key, value in self.scale.items()}
            present = np.where(np.isnan(numbers), one["centre"], numbers)
            scaled[:, i] = scale_numbers(present, one, self.kind)
        modes = np.zeros((len(X), len(self._blocks)), dtype=np.int16)
        for name, (i, coded) in self._blocks.items():
            modes[:, i] = coded.modes_of(X[name])
        return Encoded(scaled, modes, raw)

    def _entry(self, coded: _Coded, values: pd.Series) -> dict[str, Any]:
        """Describe one column for the spec: what the way back needs, as JSON can hold it."""
        column = coded.column
        entry: dict[str, Any] = {
            "name": column.name,
            "dtype": column.dtype,
            "numeric": column.is_numeric,
            "modes": list(coded.modes),
            "block": self._blocks[column.name][0] if column.name in self._blocks else None,
            "scalar": self._scalars.get(column.name),
        }
        return entry | category_entry(values)


def check_dtype(values: pd.Series, what: str, remedy: str) -> None:
    """Refuse a dtype, categories or values that a portable generator could not give back.

    Parameters
    ----------
    values
        A column of features, or the labels.
    what
        What to call it.
    remedy
        What mends it.

    Raises
    ------
    DataError
        The message names the dtype, the category or the value, and the remedy.
    """
    is_categorical, dtype = isinstance(values.dtype, pd.CategoricalDtype), values_dtype(values)
    if not is_dtype(str(dtype)):
        has = "categories of the dtype" if is_categorical else "the dtype"
        raise DataError(f"{what} has {has} {dtype}, which no generator gives back; {remedy}")
    for value in values.cat.categories.tolist() if is_categorical else ():
        if not isinstance(value, str | int | float):
            raise DataError(f"{what} has the category {value!r}, a {type(value).__name__}; {remedy}")
    for value in values if is_object_dtype(values.dtype) else ():
        if not is_hashable(value):
            raise DataError(f"{what} holds {str(value)[:40]!r}, a {type(value).__name__}; {remedy}")
        if isinstance(value, str) and not value.isascii() and _NO_TEXT.search(value):
            raise DataError(
                f"{what} holds {ascii(value)[:60]}, which is no Unicode text: bytes read in another "
                "encoding than theirs; read them in their own, or with errors='replace'"
            )


def category_entry(values: pd.Series) -> dict[str, Any]:
    """Give what a categorical dtype needs to be rebuilt; nothing for other dtypes."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return {}
    categories = values.cat.categories
    return {
        "categories": categories.tolist(),
        "categories_dtype": str(categories.dtype),
        "ordered": bool(values.cat.ordered),
    }
