"""Augmenters that make no row: the table as it is, class weights, tuned decision thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rareflow.evaluation.augmenters.base import Augmenter, TrainingSet
from rareflow.evaluation.balance import boosts
from rareflow.evaluation.comparison import RAW

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from rareflow.data.table import Table

__all__ = ["ClassWeights", "Raw", "TunedThresholds"]


class _Reweighting(Augmenter):
    """An augmenter that keeps the training part's rows."""

    def fit(self, train: Table, *, seed: int) -> None:  # noqa: ARG002 - nothing here is random
        """Keep the training part."""
        self._X, self._y, self._class_counts = train.X, train.labels, train.class_counts

    def training_set(self, amount: float) -> TrainingSet:
        """Give the rows as they are, and what each class gains by the amount."""
        factors = boosts(self._class_counts, amount)
        if all(factor == 1 for factor in factors.values()):
            return TrainingSet(self._X, self._y)
        return self._tilted(self._X, self._y, factors)

    def _tilted(self, X: pd.DataFrame, y: NDArray[np.object_], factors: dict[str, float]) -> TrainingSet:  # noqa: ARG002
        """Give the rows tilted by a factor for each class, not all of them 1; by default as they are."""
        return TrainingSet(X, y)


class Raw(_Reweighting):
    """The table as it is: what every augmenter has to beat."""

    name = RAW
    amounts = (0.0,)


class ClassWeights(_Reweighting):
    """A row of a class of ``n`` rows counts as ``(n_max / n) ** amount`` rows while a detector learns."""

    name = "class weights"

    def _tilted(self, X: pd.DataFrame, y: NDArray[np.object_], factors: dict[str, float]) -> TrainingSet:
        return TrainingSet(X, y, weight=np.array([factors[label] for label in y]))


class TunedThresholds(_Reweighting):
    """A detector's probability of a class of ``n`` rows is multiplied by ``(n_max / n) ** amount``.

    Logit adjustment after training, arXiv 2007.07314, Eq. 9. A tree with pure leaves says 0 or 1, which no
    factor changes.
    """

    name = "tuned thresholds"

    def _tilted(self, X: pd.DataFrame, y: NDArray[np.object_], factors: dict[str, float]) -> TrainingSet:
        return TrainingSet(X, y, odds=factors)
