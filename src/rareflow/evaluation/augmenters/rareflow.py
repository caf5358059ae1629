"""VAE-WGAN-GP as rareflow ships it."""

from __future__ import annotations

from typing import ClassVar

from rareflow.evaluation.augmenters.networks import NetworkAugmenter
from rareflow.evaluation.balance import CLASS_ROWS

__all__ = ["Rareflow"]


class Rareflow(NetworkAugmenter):
    """`rareflow.VAEWGANGP` at its defaults; every class is grown to `CLASS_ROWS`, or to the largest class.

    A tree needs some hundred rows of a class, whatever the largest one has; more only shift the prior. There
    is one amount and no choice: with ten rows a class, inner splits hold three of each and noise would choose
    (experiments/LOG.md).
    """

    name = "rareflow"
    amounts: ClassVar[tuple[float, ...]] = (1.0,)
    ceiling: ClassVar[int | None] = CLASS_ROWS
