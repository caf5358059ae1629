"""VAE-WGAN-GP as rareflow ships it."""

from __future__ import annotations

from rareflow.evaluation.augmenters.networks import NetworkAugmenter

__all__ = ["Rareflow"]


class Rareflow(NetworkAugmenter):
    """`rareflow.VAEWGANGP` at its defaults."""

    name = "rareflow"
