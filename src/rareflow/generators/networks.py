"""The networks of training: encoder, decoder and critic."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rareflow.generators.portable import SLOPE, Layout

__all__ = ["Critic", "Decoder", "Encoder", "activate", "initialise"]


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

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Give the posterior's mean and log-variance, each ``(N, latent_dim)``; the latter within [-8, 8]."""
        mu, logvar = self.net(torch.cat([x, c], dim=1)).chunk(2, dim=1)
        return mu, logvar.clamp(-8.0, 8.0)


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
    """Turn decoder output ``(N, D)`` into scalars and, in each block, probabilities that sum to 1."""
    parts = [raw[:, : layout.scalars]]
    for columns, blocks, size in layout.groups:
        logits = raw[:, columns].unflatten(1, (blocks.stop - blocks.start, size))
        parts.append(torch.softmax(logits, dim=-1).flatten(1))
    return torch.cat(parts, dim=1)


class Critic(nn.Module):
    """The critic D(x, c) of Eq. 7, piecewise linear so that its input gradient has a closed form."""

    def __init__(self, width: int, classes: int, hidden_dim: int) -> None:
        super().__init__()
        self.width = width
        self.first = nn.Linear(width + classes, hidden_dim)
        self.second = nn.Linear(hidden_dim, hidden_dim)
        self.last = nn.Linear(hidden_dim, 1)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Score codec vectors ``(N, D)`` of one-hot classes ``(N, C)``; shape ``(N,)``."""
        h = nn.functional.leaky_relu(self.first(torch.cat([x, c], dim=1)), SLOPE)
        return self.last(nn.functional.leaky_relu(self.second(h), SLOPE)).squeeze(1)

    def input_gradient(self, x: Tensor, c: Tensor) -> Tensor:
        """Give the gradient of the score to x, ``(N, D)``, as one more forward pass.

        The layers' slopes are locally constant, so the gradient is a product of masked weight matrices, and
        differentiating it by the weights is exact almost everywhere; no double backward is needed.
        """
        a1 = self.first(torch.cat([x, c], dim=1))
        one = a1.new_ones(())
        m1 = torch.where(a1 > 0, one, SLOPE)
        m2 = torch.where(self.second(a1 * m1) > 0, one, SLOPE)
        return ((m2 * self.last.weight) @ self.second.weight * m1) @ self.first.weight[:, : self.width]


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)) with a random source of our own."""
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                bound = 1.0 / math.sqrt(layer.in_features)
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.uniform_(-bound, bound, generator=generator)
