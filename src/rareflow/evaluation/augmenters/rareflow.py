"""VAE-WGAN-GP as rareflow ships it."""

from __future__ import annotations

from typing import ClassVar

from rareflow.evaluation.augmenters.networks import NetworkAugmenter

__all__ = ["Rareflow"]


class Rareflow(NetworkAugmenter):
    """`rareflow.VAEWGANGP` at its defaults, halfway to balance.

    One amount, no choice: with ten rows a class, inner splits hold three of each and noise would choose
    (experiments/LOG.md).
    """

    name = "rareflow"
    amounts: ClassVar[tuple[float, ...]] = (0.5,)
