"""The networks of training: the encoder and the critic. The decoder is `portable.Decoder`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Critic", "Encoder", "initialise"]

_SLOPE = 0.2


class Encoder(nn.Module):
    """The encoder q(z|x, c) of Eq. 3: codec vectors ``(N, D)`` and classes ``(N, C)`` to a Gaussian."""

    def __init__(self, width: int, classes: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width + classes, hidden_dim),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(hidden_dim, hidden_dim),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(hidden_dim, 2 * latent_dim),
        )

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Give the posterior's mean and log-variance, each ``(N, latent_dim)``; the latter within [-8, 8]."""
        mu, logvar = self.net(torch.cat([x, c], dim=1)).chunk(2, dim=1)
        return mu, logvar.clamp(-8.0, 8.0)


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
        h = nn.functional.leaky_relu(self.first(torch.cat([x, c], dim=1)), _SLOPE)
        return self.last(nn.functional.leaky_relu(self.second(h), _SLOPE)).squeeze(1)

    def input_gradient(self, x: Tensor, c: Tensor) -> Tensor:
        """Give the gradient of the score to x, ``(N, D)``, as one more forward pass.

        The layers' slopes are locally constant, so the gradient is a product of masked weight matrices, and
        differentiating it by the weights is exact almost everywhere; no double backward is needed.
        """
        a1 = self.first(torch.cat([x, c], dim=1))
        one = a1.new_ones(())
        m1 = torch.where(a1 > 0, one, _SLOPE)
        m2 = torch.where(self.second(a1 * m1) > 0, one, _SLOPE)
        return ((m2 * self.last.weight) @ self.second.weight * m1) @ self.first.weight[:, : self.width]


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)) with a random source of our own."""
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                bound = 1.0 / math.sqrt(layer.in_features)
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.uniform_(-bound, bound, generator=generator)
