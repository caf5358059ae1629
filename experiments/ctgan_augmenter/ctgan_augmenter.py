"""CTGAN and TVAE (Xu et al. 2019, arXiv 1907.00503) as augmenters of `rareflow benchmark`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from ctgan import CTGAN, TVAE

from rareflow.evaluation.augmenters import RowAugmenter
from rareflow.evaluation.balance import balanced_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_ROWS = 10  # CTGAN shows its critic ten rows at a time


class _PerClass(RowAugmenter):
    """One network for each class that can grow.

    CTGAN only makes a wanted class likelier and TVAE takes no wish at all, so one network for the whole table
    might never give a rare class. Neither takes missing values: numbers get their class's median, and a
    missing category is one more.
    """

    network: ClassVar[Any]

    def learn(self, X: pd.DataFrame, y: NDArray[np.object_], *, seed: int) -> None:
        """Train a network on the rows of each class alone, at the library's defaults."""
        texts = X.select_dtypes(exclude="number").columns
        numbers, self._values = X.astype(dict.fromkeys(X.columns.difference(texts), np.float64)), {}
        for name in texts:
            codes, self._values[name] = pd.factorize(X[name], use_na_sentinel=False)
            numbers[name] = codes.astype(str)
        self._networks = {}
        for label in balanced_counts(pd.Series(y).value_counts().to_dict(), 1.0):
            rows = numbers[y == label]
            rows = rows.fillna(rows.median(numeric_only=True)).fillna(0.0)
            rows = pd.concat([rows] * -(-_LEAST_ROWS // len(rows)), ignore_index=True)
            self._networks[label] = self.network(verbose=False)
            self._networks[label].set_random_state(seed)
            self._networks[label].fit(rows, list(texts))

    def forge(self, counts: dict[str, int]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
        """Sample each class from its network, from the same random state every time."""
        parts = []
        for label, new in counts.items():
            self._networks[label].set_random_state(self.seed)
            parts.append(self._networks[label].sample(new))
        rows = pd.concat(parts, ignore_index=True)
        for name, values in self._values.items():
            rows[name] = values.take(rows[name].astype(int))
        return rows, np.repeat(np.array(list(counts), dtype=object), list(counts.values()))


class Ctgan(_PerClass):
    """CTGAN, one for each class."""

    name = "CTGAN"
    network = CTGAN


class Tvae(_PerClass):
    """TVAE, one for each class."""

    name = "TVAE"
    network = TVAE
