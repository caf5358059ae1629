"""Random oversampling and SMOTE as augmenters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.evaluation.augmenters.base import RowAugmenter
from rareflow.evaluation.baselines import random_oversample, smote
from rareflow.evaluation.comparison import SMOTE

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["RandomOversampling", "Smote"]


class RandomOversampling(RowAugmenter):
    """Real rows repeated: `rareflow.evaluation.baselines.random_oversample`."""

    name = "random oversampling"

    def forge(self, counts: dict[str, int]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
        """Draw rows of each class with replacement."""
        X, y = random_oversample(self.X, self.y, counts, seed=self.seed)
        return X.iloc[len(self.X) :], y[len(self.X) :]


class Smote(RowAugmenter):
    """Rows between near rows of a class: `rareflow.evaluation.baselines.smote`, SMOTE-NC on mixed tables."""

    name = SMOTE

    def forge(self, counts: dict[str, int]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
        """Draw between rows of each class and their neighbours."""
        X, y = smote(self.X, self.y, counts, seed=self.seed)
        return X.iloc[len(self.X) :], y[len(self.X) :]
