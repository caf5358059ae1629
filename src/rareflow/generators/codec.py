"""The codec: a table's columns to codec space. The way back is `portable.PortableGenerator`'s.

Every numeric column may have *spikes*, values so frequent (zeros, flags, constants of one class) that a tree
splits on them: they become modes of a one-hot block and come back exact. What is no spike becomes a scalar:

- ``asinh``: standardised inverse hyperbolic sine of the median-centred value, linear near the median and
  logarithmic in the tails, so that values to 1e38 leave the ordinary ones apart.
- ``quantile``: the rank among the training values, standardised.
- ``zscore``: the paper's Eq. 1, without spikes; kept as the paper's control.

Categories, missing values and discrete numbers are modes too. All is fitted on training rows only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rareflow.data.schema import Column, Kind
from rareflow.generators.portable import Layout

__all__ = ["CODECS", "Codec", "Encoded", "category_entry"]

CODECS = ("asinh", "quantile", "zscore")

_SPIKE_SHARE = 0.03  # of the class-balanced weight
_MAX_SPIKES = 16
_ROWS_PER_VALUE = 8  # a number is discrete where each of its values stands for this many rows
_REFERENCES = 513  # quantiles kept a scalar
_UNIFORM_SD = 12.0**-0.5

Array = NDArray[Any]


@dataclass(frozen=True)
class Encoded:
    """Rows in codec space: scaled scalars ``(N, S)``, modes ``(N, B)``, scalars in their own units ``(N, S)``."""

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
            return cls(column, (*column.categories, *gap), scalar=False)
        if column.kind is Kind.CONSTANT:
            return cls(column, (values.dropna().iloc[0].item(),), scalar=False)
        if codec == "zscore":
            return cls(column, gap, scalar=True)
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        here = ~np.isnan(numbers)
        distinct, at = np.unique(numbers[here], return_inverse=True)
        if len(distinct) <= min(_MAX_SPIKES, here.sum() / _ROWS_PER_VALUE):
            return cls(column, (*distinct.tolist(), *gap), scalar=False)
        share = np.bincount(at, weights=weight[here]) / weight.sum()
        repeated = np.bincount(at) > 1
        heaviest = np.argsort(-share, kind="stable")[:_MAX_SPIKES]
        spikes = distinct[np.sort(heaviest[(share >= _SPIKE_SHARE)[heaviest] & repeated[heaviest]])]
        return cls(column, (*spikes.tolist(), *gap), scalar=True)

    def modes_of(self, values: pd.Series) -> NDArray[np.int16]:
        """Number each value's mode; what is none of them gets the last number, "some other"."""
        known = [mode for mode in self.modes if mode is not None]
        if self.column.is_numeric:
            found = pd.Index(np.array(known, dtype=np.float64)).get_indexer(_numbers(values))
        else:
            found = pd.Index(known, dtype=object).get_indexer(values.astype(object))
        found = np.where(found < 0, len(self.modes), found)
        if self.column.missing:
            found = np.where(values.isna(), len(known), found)
        return found.astype(np.int16)


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    """Give a numeric column as float64, missing as NaN."""
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


class Codec:
    """Fitted on training rows by `fit`; then `encode` takes rows to codec space.

    Parameters
    ----------
    kind
        One of `CODECS`.
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
        """
        coded = [_Coded.fit(X[name], weight, self.kind) for name in X.columns]
        blocks = sorted((c for c in coded if c.size > 1), key=lambda c: c.size)
        scalars = [c for c in coded if c.scalar]
        self._block = {c.column.name: (i, c) for i, c in enumerate(blocks)}
        self._scalar = {c.column.name: i for i, c in enumerate(scalars)}
        self.layout = Layout(len(scalars), tuple(c.size for c in blocks))
        self.columns = [self._entry(c, X[c.column.name]) for c in coded]
        self._fill = np.array([X[name].median() for name in self._scalar], dtype=np.float64)
        self.scale = self._fit_scale(self._raw(X), [c.column for c in scalars])
        return self

    def encode(self, X: pd.DataFrame) -> Encoded:
        """Take rows ``(N, columns)`` to codec space."""
        raw = self._raw(X)
        modes = np.zeros((len(X), len(self._block)), dtype=np.int16)
        for name, (i, coded) in self._block.items():
            modes[:, i] = coded.modes_of(X[name])
        return Encoded(self._scaled(raw).astype(np.float32), modes, raw)

    def _raw(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give the scalars in their own units; a missing one stands at its column's median."""
        raw = np.empty((len(X), len(self._scalar)))
        for name, i in self._scalar.items():
            raw[:, i] = _numbers(X[name])
        return np.where(np.isnan(raw), self._fill, raw)

    def _fit_scale(self, raw: Array, columns: list[Column]) -> dict[str, Array]:
        """Learn the arrays that lead there (`_scaled`) and back; each of shape ``(S,)`` but the references."""
        count = raw.shape[1]
        self.scale = {
            "centre": np.zeros(count),
            "scale": np.ones(count),
            "shift": np.zeros(count),
            "spread": np.ones(count),
            "references": np.empty((count, _REFERENCES)),
            "low": np.array([column.low for column in columns], dtype=np.float64),
            "high": np.array([column.high for column in columns], dtype=np.float64),
            "whole": np.array([column.kind is not Kind.CONTINUOUS for column in columns], dtype=bool),
        }
        if self.kind == "quantile":
            self.scale["references"] = np.quantile(raw, np.linspace(0, 1, _REFERENCES), axis=0).T
            self.scale |= {"shift": np.full(count, 0.5), "spread": np.full(count, _UNIFORM_SD)}
        elif self.kind == "zscore":
            self.scale |= {"centre": raw.mean(axis=0), "scale": _spread(raw)}
        else:
            centre = np.median(raw, axis=0)
            self.scale |= {"centre": centre, "scale": _typical(raw - centre)}
            bent = self._bent(raw)
            self.scale |= {"shift": bent.mean(axis=0), "spread": _spread(bent)}
        ends = self._scaled(np.stack([self.scale["low"], self.scale["high"]]))
        return self.scale | {"scaled_low": ends[0], "scaled_high": ends[1]}

    def _bent(self, raw: Array) -> NDArray[np.float64]:
        """Bend the scalars by the codec's curve, before they are standardised."""
        if self.kind == "quantile":
            ranks = np.linspace(0, 1, _REFERENCES)
            columns = [np.interp(raw[:, j], self.scale["references"][j], ranks) for j in range(raw.shape[1])]
            return np.stack(columns, axis=1) if columns else raw
        centred = (raw - self.scale["centre"]) / self.scale["scale"]
        return np.arcsinh(centred) if self.kind == "asinh" else centred

    def _scaled(self, raw: Array) -> NDArray[np.float64]:
        return (self._bent(raw) - self.scale["shift"]) / self.scale["spread"]

    def _entry(self, coded: _Coded, values: pd.Series) -> dict[str, Any]:
        """Describe one column for the spec: what the way back needs, as JSON can hold it."""
        column = coded.column
        entry: dict[str, Any] = {
            "name": column.name,
            "kind": str(column.kind),
            "dtype": column.dtype,
            "low": column.low,
            "high": column.high,
            "modes": list(coded.modes),
            "block": self._block[column.name][0] if column.name in self._block else None,
            "scalar": self._scalar.get(column.name),
        }
        return entry | category_entry(values)


def category_entry(values: pd.Series) -> dict[str, Any]:
    """Give what a categorical dtype needs to be rebuilt; nothing for other dtypes."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return {}
    return {"categories": values.cat.categories.tolist(), "ordered": bool(values.cat.ordered)}


def _typical(centred: Array) -> NDArray[np.float64]:
    """Give each column's typical distance from its median, of the values that are not at it; never 0."""
    typical = np.ones(centred.shape[1])
    for j in range(centred.shape[1]):
        away = np.abs(centred[:, j])
        away = away[away > 0]
        if len(away):
            typical[j] = max(np.median(away), np.finfo(np.float64).tiny)
    return typical


def _spread(values: Array) -> NDArray[np.float64]:
    """Give each column's standard deviation, 1 where it is 0; values to 1e308 do not overflow."""
    most = np.abs(values).max(axis=0, initial=0.0)
    unit = np.where(most > 0, most, 1.0)
    spread = (values / unit).std(axis=0) * unit
    return np.where(spread > 0, spread, 1.0)
