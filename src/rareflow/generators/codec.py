"""The codec: a table's columns to codec space. The way back is `portable.PortableGenerator`'s.

Every numeric column may have *spikes*, values so frequent (zeros, flags, constants of one class) that a tree
splits on them: they become modes of a one-hot block and come back exact. What is no spike becomes a scalar:

- ``asinh``: standardised inverse hyperbolic sine of the median-centred value, linear near the median and
  logarithmic in the tails, so that values to 1e38 leave the ordinary ones apart.
- ``quantile``: the rank among the training values, standardised.
- ``zscore``: the paper's Eq. 1, without spikes; kept as the paper's control.

Categories, missing values and discrete numbers are modes too. All is fitted on training rows only. Numbers
are float64 on the way: integers beyond 2**53 come back as a double near them, constants always exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rareflow.data.schema import Column, Kind
from rareflow.errors import DataError
from rareflow.generators.portable import Layout

__all__ = ["CODECS", "Codec", "Encoded", "category_entry"]

CODECS = ("asinh", "quantile", "zscore")

_SPIKE_SHARE = 0.03  # of the class-balanced weight
_MAX_SPIKES = 16
_MAX_CATEGORIES = 1_000  # a block is as wide as its column has categories
_ROWS_PER_VALUE = 8  # a number is discrete where each of its values stands for this many rows
_REFERENCES = 513  # quantiles kept a scalar
_REACH = 1e300  # scalars beyond it are scaled as if they stood there: differences never overflow

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


@dataclass(frozen=True)
class _Coded:
    """How one column is coded: the values that are modes (``None`` is missing), and whether others exist."""

    column: Column
    modes: tuple[Any, ...]
    scalar: bool

    @property
    def size(self) -> int:
        """Modes of the column's block; 1 or 0 means that it has none."""
        return len(self.modes) + self.scalar

    @classmethod
    def fit(cls, values: pd.Series, weight: Array, codec: str) -> _Coded:
        column = Column.infer(values)
        gap = (None,) if column.missing else ()
        if not column.is_numeric:
            _check_categories(column)
            return cls(column, (*column.categories, *gap), scalar=False)
        if column.kind is Kind.CONSTANT:
            return cls(column, (values.dropna().iloc[0].item(),), scalar=False)
        numbers = _numbers(values)
        here = ~np.isnan(numbers)
        distinct, at = np.unique(numbers[here], return_inverse=True)
        discrete = min(_MAX_SPIKES, here.sum() / _ROWS_PER_VALUE) if codec != "zscore" else 0
        if len(distinct) <= max(1, discrete):
            return cls(column, (*distinct.tolist(), *gap), scalar=False)
        if codec == "zscore":
            return cls(column, gap, scalar=True)
        share = np.bincount(at, weights=weight[here]) / weight.sum()
        repeated = np.bincount(at) > 1
        heaviest = np.argsort(-share, kind="stable")[:_MAX_SPIKES]
        spikes = distinct[np.sort(heaviest[(share >= _SPIKE_SHARE)[heaviest] & repeated[heaviest]])]
        return cls(column, (*spikes.tolist(), *gap), scalar=True)

    def modes_of(self, values: pd.Series) -> NDArray[np.int16]:
        """Give the number of each value's mode; what is none of them gets the last, "some other number"."""
        known = [mode for mode in self.modes if mode is not None]
        if self.column.is_numeric:
            found = pd.Index(known, dtype=np.float64).get_indexer(pd.Index(_numbers(values)))
        else:
            found = pd.Index(known, dtype=object).get_indexer(pd.Index(values, dtype=object))
        if self.column.missing:
            found = np.where(values.isna(), len(known), found)
        if not self.scalar and (found < 0).any():
            strange = values[found < 0].tolist()[0]
            raise DataError(f"column {self.column.name!r} holds {strange!r}, which the training rows do not")
        return np.where(found < 0, len(self.modes), found).astype(np.int16)


def _check_categories(column: Column) -> None:
    """Refuse categories that a one-hot block or a JSON file cannot hold."""
    if len(column.categories) > _MAX_CATEGORIES:
        raise DataError(
            f"column {column.name!r} has {len(column.categories)} categories, more than {_MAX_CATEGORIES}; "
            "leave it out, merge its rare categories, or give its numbers a numeric dtype"
        )
    for value in column.categories:
        if not isinstance(value, str | int | float):
            raise DataError(
                f"column {column.name!r} holds {value!r}, a {type(value).__name__}; "
                "turn it into numbers, text or booleans"
            )


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    """Give a numeric column as float64, missing as NaN, nothing beyond the range of its integer dtype."""
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_integer_dtype(values.dtype):
        end = 2.0**64 if pd.api.types.is_unsigned_integer_dtype(values.dtype) else 2.0**63
        return np.minimum(numbers, np.nextafter(end, 0.0))
    return numbers


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
            If a column holds no value, an infinite one, too many categories or what is no number or text.
        """
        coded = [_Coded.fit(X[name], weight, self.kind) for name in X.columns]
        blocks = sorted((c for c in coded if c.size > 1), key=lambda c: c.size)
        scalars = [c for c in coded if c.scalar]
        self._blocks = {c.column.name: (i, c) for i, c in enumerate(blocks)}
        self._scalars = {c.column.name: i for i, c in enumerate(scalars)}
        self.layout = Layout(len(scalars), tuple(c.size for c in blocks))
        self.columns = [self._entry(c, X[c.column.name]) for c in coded]
        fitted = [_fit_scalar(_numbers(X[name]), self.kind) for name in self._scalars]
        self.scale: dict[str, Array] = {
            key: np.array([scalar[key] for scalar in fitted]) for key in (fitted[0] if fitted else {})
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
            raw[:, i] = _numbers(X[name])
            one = {key: value[i] for key, value in self.scale.items()}
            scaled[:, i] = _scaled(np.where(np.isnan(raw[:, i]), one["centre"], raw[:, i]), one, self.kind)
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


def _fit_scalar(numbers: NDArray[np.float64], kind: str) -> dict[str, Any]:
    """Learn the way of one scalar column ``(N,)`` to codec space (`_scaled`) and back."""
    numbers = numbers[~np.isnan(numbers)]
    near = np.clip(numbers, -_REACH, _REACH)
    one: dict[str, Any] = {
        "low": numbers.min(),
        "high": numbers.max(),
        "whole": bool((numbers == np.round(numbers)).all()),
        "centre": np.quantile(near, 0.5, method="lower"),
        "shift": 0.0,
        "spread": 1.0,
    }
    if kind == "asinh":
        one["scale"] = _typical(np.abs(near - one["centre"]))
    if kind == "quantile":
        one["references"] = np.quantile(near, np.linspace(0.0, 1.0, _REFERENCES))
    bent = _scaled(numbers, one, kind)
    one |= {"shift": bent.mean(), "spread": _spread(bent)}
    low, high = _scaled(np.array([one["low"], one["high"]]), one, kind)
    return one | {"scaled_low": low, "scaled_high": high}


def _scaled(numbers: NDArray[np.float64], one: dict[str, Any], kind: str) -> NDArray[np.float64]:
    """Bend the values of one scalar by the codec's curve and standardise them."""
    bent = np.clip(numbers, -_REACH, _REACH)
    if kind == "quantile":
        bent = _rank(bent, one["references"])
    elif kind == "asinh":
        bent = np.arcsinh((bent - one["centre"]) / one["scale"])
    return (bent - one["shift"]) / one["spread"]


def _rank(numbers: NDArray[np.float64], references: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each number's rank in [0, 1] among sorted quantiles, straight between two of them.

    Unlike `numpy.interp`, it never forms a slope, which overflows between two denormal numbers.
    """
    cell = np.clip(np.searchsorted(references, numbers, side="right") - 1, 0, len(references) - 2)
    low, span = references[cell], references[cell + 1] - references[cell]
    within = np.divide(numbers - low, span, out=np.zeros_like(numbers), where=span > 0)
    return (cell + within) / (len(references) - 1)


def _typical(away: NDArray[np.float64]) -> float:
    """Give the median distance of the values that are not at the median themselves.

    Never so small that a distance divided by it overflows.
    """
    distant = away[away > 0]
    if not len(distant):
        return 1.0
    return float(max(np.quantile(distant, 0.5, method="lower"), distant.max() / _REACH, np.finfo(float).tiny))


def _spread(values: NDArray[np.float64]) -> float:
    """Give the standard deviation, never 0; values to 1e300 do not overflow when squared."""
    unit = np.abs(values).max() or 1.0
    return float(max((values / unit).std(), np.finfo(float).eps) * unit) or 1.0
