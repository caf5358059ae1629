"""The networks of a VAE, encoder and decoder, and what all networks share. The critic is `critic.Critic`.

What a network computes is a function of its weights, so that one program can run those of several models
(`together.Together`); the modules hold the weights and give them their names.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from rareflow.generators.portable import SLOPE, STEEP, Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Decoder",
    "Encoder",
    "activate",
    "decode",
    "encode",
    "initialise",
    "membership",
    "perceptron",
]


def perceptron(weights: Sequence[Tensor], *inputs: Tensor) -> Tensor:
    """Run a two-layer perceptron on inputs side by side, ``(N, ·)`` each.

    Parameters
    ----------
    weights
        Weight and bias of each of three layers, in the order of `nn.Module.parameters`.
    inputs
        What its first layer reads.
    """
    w_1, b_1, w_2, b_2, w_3, b_3 = weights
    h = functional.leaky_relu_(functional.linear(torch.cat(inputs, dim=1), w_1, b_1), SLOPE)
    h = functional.leaky_relu_(functional.linear(h, w_2, b_2), SLOPE)
    return functional.linear(h, w_3, b_3)


def encode(weights: Sequence[Tensor], x: Tensor, c: Tensor) -> Tensor:
    """Give the posterior's mean and log-variance, ``(2, N, latent_dim)``; the latter within [-8, 8]."""
    mu, logvar = perceptron(weights, x, c).chunk(2, dim=1)
    return torch.stack([mu, logvar.clamp(-8.0, 8.0)])


def decode(weights: Sequence[Tensor], z: Tensor, c: Tensor) -> Tensor:
    """Decode latent points ``(N, latent_dim)`` of one-hot classes ``(N, C)``; shape ``(N, D)``."""
    return perceptron(weights, z, c)


def _layers(inputs: int, hidden_dim: int, outputs: int) -> nn.ModuleDict:
    """Make the layers of a `perceptron`, by their numbers in saved models, which count rectifiers too."""
    return nn.ModuleDict(
        {
            "0": nn.Linear(inputs, hidden_dim),
            "2": nn.Linear(hidden_dim, hidden_dim),
            "4": nn.Linear(hidden_dim, outputs),
        }
    )


class Encoder(nn.Module):
    """The encoder q(z|x, c) of Eq. 3: codec vectors ``(N, D)`` and classes ``(N, C)`` to a Gaussian."""

    def __init__(self, width: int, classes: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.net = _layers(width + classes, hidden_dim, 2 * latent_dim)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Give the posterior's mean and log-variance; see `encode`."""
        return encode(tuple(self.parameters()), x, c)


class Decoder(nn.Module):
    """The decoder p(x|z, c) of Eq. 2, which is also the generator G of Eq. 7: a two-layer perceptron.

    Latent ``(N, latent_dim)`` and one-hot class ``(N, C)`` in, decoder output ``(N, D)`` out; `activate`
    makes it a codec vector. `portable.decoder` runs the same weights without torch.
    """

    def __init__(self, latent_dim: int, classes: int, hidden_dim: int, width: int) -> None:
        super().__init__()
        self.net = _layers(latent_dim + classes, hidden_dim, width)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        """Decode latent points of the given classes."""
        return decode(tuple(self.parameters()), z, c)


def activate(raw: Tensor, blocks: Tensor, own: Tensor | None = None) -> Tensor:
    """Turn decoder output ``(N, D)`` into scalars and, in each block, probabilities that sum to 1.

    One exponential and two products for all blocks, whatever their sizes; as in sampling, a logit beyond 60
    counts as 60 (`portable.layout.Layout.probabilities`).

    Parameters
    ----------
    raw
        What the decoder gives.
    blocks
        The layout's `membership`.
    own
        1 in the entries of codec space that the model has, 0 in others, ``(D,)``: those take no share and
        become 0. ``None``: it has all.
    """
    if not len(blocks):
        return raw
    scalars = raw.shape[1] - len(blocks)
    odds = raw[:, scalars:].clamp(-STEEP, STEEP).exp()
    if own is not None:
        odds = odds * own[scalars:]
    return torch.cat([raw[:, :scalars], odds / ((odds @ blocks) @ blocks.T)], dim=1)


def membership(layout: Layout, *, like: Tensor) -> Tensor:
    """Tell which entry of codec space, S scalars left out, belongs to which block: 0 or 1, ``(D - S, B)``.

    Device and dtype are those of ``like``.
    """
    block = torch.tensor([block for block, size in enumerate(layout.sizes) for _ in range(size)])
    return (block[:, None] == torch.arange(len(layout.sizes))).to(like)


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)) with a random source of our own."""
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                bound = 1.0 / math.sqrt(layer.in_features)
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.uniform_(-bound, bound, generator=generator)
