"""The decoder without torch: the weights that `rareflow.generators.networks.Decoder` learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .kernels import leak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .kernels import Array
    from .layout import Layout

__all__ = ["Decoder"]

_BLOCK_ROWS = 512  # decoded at once, so few that a layer stays in a core's own cache


class Decoder:
    """From latent points and a class to codec vectors.

    Parameters
    ----------
    tensors
        ``net.{0,2,4}.weight``, ``(out, in)``, and ``net.{0,2,4}.bias``; the first layer takes a latent point
        and, one-hot, its class.
    latent_dim
        Length of a latent point.
    layout
        Of the codec vectors.
    """

    def __init__(self, tensors: dict[str, Array], latent_dim: int, layout: Layout) -> None:
        (first, bias), *others = [(tensors[f"net.{i}.weight"], tensors[f"net.{i}.bias"]) for i in (0, 2, 4)]
        biases = np.ascontiguousarray((first[:, latent_dim:] + bias[:, None]).T)  # one a class, (C, out)
        self._layers = [(np.ascontiguousarray(first[:, :latent_dim]), biases), *others]
        self._layout = layout

    def decode(self, z: Array, index: int) -> NDArray[np.float32]:
        """Decode latent points ``(latent_dim, N)`` of one class, by its number: codec vectors ``(D, N)``.

        What is left after the last block goes with it: BLAS may round products of a few rows otherwise.
        """
        (first, biases), (second, bias), (last, end) = self._layers
        x = np.empty((self._layout.width, z.shape[1]), np.float32)
        ends = [*range(_BLOCK_ROWS, z.shape[1] - _BLOCK_ROWS + 1, _BLOCK_ROWS), z.shape[1]]
        for part in map(slice, [0, *ends], ends):
            h = leak(first @ z[:, part], biases[index])
            x[:, part] = last @ leak(second @ h, bias)
        x += end[:, None]
        return self._layout.probabilities(x)
