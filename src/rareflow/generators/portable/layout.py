"""Where the scalars and the blocks of a row stand in codec space, and rows as they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .kernels import Array, find_largest, normalise

__all__ = ["STEEP", "Draw", "Layout"]

STEEP = 60.0
"""Beyond it a logit says no more, and its exponential would overflow in the end."""


@dataclass(frozen=True)
class Layout:
    """Where each scalar and each block stands in codec space.

    Parameters
    ----------
    scalars
        Number of scalars `S`; they stand first.
    sizes
        Size of each block in codec order, never decreasing; `len(sizes)` is `B`.
    """

    scalars: int
    sizes: tuple[int, ...]

    @property
    def width(self) -> int:
        """Length `D` of a codec vector."""
        return self.scalars + sum(self.sizes)

    @cached_property
    def groups(self) -> list[tuple[slice, slice, int]]:
        """One entry a block size: its columns in codec space, its blocks among the `B`, the size."""
        found: list[tuple[slice, slice, int]] = []
        column, block = self.scalars, 0
        for size in sorted(set(self.sizes)):
            count = self.sizes.count(size)
            found.append((slice(column, column + count * size), slice(block, block + count), size))
            column, block = column + count * size, block + count
        return found

    def one_hot(self, scaled: Array, modes: Array) -> NDArray[np.float32]:
        """Join scaled scalars ``(N, S)`` and modes ``(N, B)`` to codec vectors ``(N, D)``."""
        x = np.zeros((len(scaled), self.width), dtype=np.float32)
        x[:, : self.scalars] = scaled
        start = self.scalars
        for block, size in enumerate(self.sizes):
            x[np.arange(len(x)), modes[:, block] + np.intp(start)] = 1.0
            start += size
        return x

    def modes(self, x: Array) -> NDArray[np.int16]:
        """Read the likeliest mode of each block off codec vectors ``(D, N)``; shape ``(B, N)``."""
        found = np.empty((len(self.sizes), x.shape[1]), dtype=np.int16)
        find_largest(x, self._ends, found)
        return found

    def probabilities(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn each block of decoder output ``(D, N)`` into probabilities that sum to 1, in place."""
        blocks = raw[self.scalars :]
        np.exp(np.clip(blocks, -STEEP, STEEP, out=blocks), out=blocks)
        normalise(raw, self._ends)
        return raw

    def room(self, count: int) -> Draw:
        """Give room for so many rows."""
        return Draw(np.empty((self.scalars, count)), np.empty((len(self.sizes), count), np.int16))

    @cached_property
    def _ends(self) -> NDArray[np.intp]:
        """Where each block begins in codec space, and the last one ends, ``(B + 1,)``."""
        return np.cumsum([self.scalars, *self.sizes], dtype=np.intp)


@dataclass
class Draw:
    """Candidate rows: scalars in the table's units ``(S, N)``, NaN where missing; modes ``(B, N)``."""

    scalars: NDArray[np.float64]
    modes: NDArray[np.int16]

    def __len__(self) -> int:
        return self.modes.shape[1]
