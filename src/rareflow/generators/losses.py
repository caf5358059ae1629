"""The losses of a VAE, Eq. 2-4, as pure functions of tensors. Eq. 7's are in `critic`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from rareflow.generators.portable import Layout

__all__ = ["kl_divergence", "reconstruction", "reparametrise"]


def reparametrise(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """Eq. 4: z = mu + sigma * eps, all ``(N, latent_dim)``."""
    return mu + torch.exp(0.5 * logvar) * eps


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)) of Eq. 2, in nats, summed over the latent dimensions."""
    return 0.5 * (mu.square() + logvar.exp() - 1.0 - logvar).sum(dim=1).mean()


def reconstruction(raw: Tensor, x: Tensor, layout: Layout) -> Tensor:
    """-E[log p(x|z)] of Eq. 2, in nats up to a constant, summed over the columns.

    Scalars are Gaussian with unit variance in codec space, blocks are categorical.

    Parameters
    ----------
    raw
        Decoder output ``(N, D)``, logits in the blocks.
    x
        Codec vectors ``(N, D)``, one-hot in the blocks.
    layout
        Where each stands.
    """
    s = layout.scalars
    loss = 0.5 * (raw[:, :s] - x[:, :s]).square().sum()
    for columns, _, size in layout.groups:
        logits = raw[:, columns].reshape(-1, size)
        loss = loss - (functional.log_softmax(logits, dim=1) * x[:, columns].reshape(-1, size)).sum()
    return loss / len(x)
