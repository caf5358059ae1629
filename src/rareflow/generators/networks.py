"""The networks of a VAE, encoder and decoder, and what all networks share. The critic is `critic.Critic`."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from rareflow.generators.portable import SLOPE, STEEP, Layout

__all__ = ["Decoder", "Encoder", "activate", "initialise"]


class Encoder(nn.Module):
    """The encoder q(z|x, c) of Eq. 3: codec vectors ``(N, D)`` and classes ``(N, C)`` to a Gaussian."""

    def __init__(self, width: int, classes: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width + classes, hidden_dim),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden_dim, hidden_dim),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden_dim, 2 * latent_dim),
        )

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Give the posterior's mean and log-variance, ``(2, N, latent_dim)``; the latter within [-8, 8]."""
        mu, logvar = self.net(torch.cat([x, c], dim=1)).chunk(2, dim=1)
        return torch.stack([mu, logvar.clamp(-8.0, 8.0)])


class Decoder(nn.Module):
    """The decoder p(x|z, c) of Eq. 2, which is also the generator G of Eq. 7: a two-layer perceptron.

    Latent ``(N, latent_dim)`` and one-hot class ``(N, C)`` in, decoder output ``(N, D)`` out; `activate`
    makes it a codec vector. `portable.PortableGenerator` runs the same weights without torch.
    """

    def __init__(self, latent_dim: int, classes: int, hidden_dim: int, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(latent_dim + classes, hidden_dim),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden_dim, hidden_dim),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden_dim, width),
        )

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        """Decode latent points of the given classes."""
        return self.net(torch.cat([z, c], dim=1))


def activate(raw: Tensor, layout: Layout) -> Tensor:
    """Turn decoder output ``(N, D)`` into scalars and, in each block, probabilities that sum to 1.

    One exponential and two products for all blocks, whatever their sizes; as in sampling, a logit beyond 60
    counts as 60 (`portable.Layout.probabilities`).
    """
    if not layout.sizes:
        return raw
    odds = raw[:, layout.scalars :].clamp(-STEEP, STEEP).exp()
    blocks = _membership(layout, raw.device, raw.dtype)
    return torch.cat([raw[:, : layout.scalars], odds / ((odds @ blocks) @ blocks.T)], dim=1)


@lru_cache(maxsize=8)
def _membership(layout: Layout, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Tell which entry of codec space, scalars left out, belongs to which block: 0 or 1, ``(D - S, B)``."""
    sizes = torch.tensor(layout.sizes)
    block = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    return nn.functional.one_hot(block, len(sizes)).to(device, dtype)


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)) with a random source of our own."""
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                bound = 1.0 / math.sqrt(layer.in_features)
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.uniform_(-bound, bound, generator=generator)
