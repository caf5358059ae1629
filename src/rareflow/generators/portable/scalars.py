"""The scalars' way back: from codec space to the table's own units."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .kernels import stretch, unscale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .kernels import Array

__all__ = ["Scalars"]


class Scalars:
    """The scales of all scalars, as `rareflow.generators.scalars` fitted them.

    Parameters
    ----------
    scales
        The tensors ``scalar.*`` by their names within it; empty where a table has no scalars.
    codec
        Which curve is to be bent back.
    is_mirrored
        Whether what lies beyond an end of the observed range is mirrored there. Near real rows it is: cut
        off, it would pile up on one real row's value, and copy that row where a class hardly varies
        otherwise. What the decoder makes of the prior has no real row to stay near, and is cut off as in the
        paper's controls.
    """

    def __init__(self, scales: dict[str, Array], codec: str, *, is_mirrored: bool) -> None:
        self._scales, self._codec, self._is_mirrored = scales, codec, is_mirrored

    def values(self, scaled: Array) -> NDArray[np.float64]:
        """Bring scaled scalars ``(S, N)`` back to the table's units, within the observed range."""
        scales, v = self._scales, np.empty(scaled.shape)
        if not scales:
            return v
        ends = (scales[name] for name in ("scaled_low", "scaled_high", "spread", "shift"))
        unscale(scaled, *ends, self._is_mirrored, v)
        # Adding -0.0 changes no number, not even the sign of a zero.
        centre, factor = np.full(len(v), -0.0), np.ones(len(v))
        if self._codec == "quantile":
            ranks = np.linspace(0.0, 1.0, scales["references"].shape[1])
            for row, references in zip(v, scales["references"], strict=True):
                row[:] = np.interp(row, ranks, references)
        elif self._codec == "asinh":
            np.sinh(v, out=v)
            centre, factor = scales["centre"], scales["scale"]
        stretch(v, centre, factor, self.units)
        self.bound(v)
        return v

    @cached_property
    def units(self) -> NDArray[np.float64]:
        """What each scalar is counted in, as parts of one ``(S,)``: 100 is hundredths, 0 that it is not."""
        decimals = self._scales["decimals"]
        return np.where(decimals < 0, 0.0, 10.0 ** np.abs(decimals))

    def bound(self, values: Array) -> None:
        """Keep scalars ``(S, N)`` within the observed range, in place."""
        # Not compiled: which of two zeros of unlike sign it gives is numpy's own choice, and part of the bits
        # that a seed gives.
        np.clip(values, self._scales["low"][:, None], self._scales["high"][:, None], out=values)
