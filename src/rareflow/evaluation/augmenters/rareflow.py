"""VAE-WGAN-GP as rareflow ships it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rareflow.evaluation.augmenters.networks import NetworkAugmenter
from rareflow.evaluation.balance import balanced_counts, default_class_rows
from rareflow.evaluation.comparison import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Rareflow"]


class Rareflow(NetworkAugmenter):
    """`rareflow.VAEWGANGP` at its defaults; full balance is `default_class_rows` of every class.

    There is one amount and no choice: with ten rows a class, inner splits hold three of each and noise would
    choose (experiments/LOG.md).
    """

    name = OURS
    amounts: ClassVar[tuple[float, ...]] = (1.0,)

    def counts(self, class_counts: Mapping[str, int], amount: float) -> dict[str, int]:
        """Give the rows to forge at an amount; no class counts for more rows than the default."""
        top = default_class_rows(class_counts)
        return balanced_counts({label: min(rows, top) for label, rows in class_counts.items()}, amount)
