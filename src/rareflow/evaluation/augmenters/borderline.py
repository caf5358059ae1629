"""Borderline-SMOTE and ADASYN: SMOTE that starts from the rows that are hard to tell from other classes.

Both look at each row's nearest neighbours in the whole table: those of another class are *foreign*. The
definitions are imbalanced-learn's, whose own classes know no categories, make other counts than asked for
(ADASYN), and search the table anew for each class and amount.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from rareflow.evaluation.augmenters.base import RowAugmenter
from rareflow.evaluation.matrix import from_matrix, to_matrix

__all__ = ["Adasyn", "BorderlineSmote"]

_NEIGHBORS = 5  # of one class, to interpolate with: SMOTE's
_MOST_PARENTS = 20_000  # a search of half a million rows takes 0.7 s for each thousand of them


@dataclass(frozen=True, eq=False)
class _Kin:
    """The rows of one class.

    Parameters
    ----------
    X
        The rows, ``(rows, columns)``.
    matrix, known
        What `to_matrix` makes of them.
    neighbors
        Nearest rows of the class, ``(rows, k)``, k up to 5; a lone row is its own.
    weight
        How often each row is a parent, ``(rows,)``, sum 1.
    """

    X: pd.DataFrame
    matrix: NDArray[np.float64]
    known: dict[str, pd.Index]
    neighbors: NDArray[np.intp]
    weight: NDArray[np.float64]

    def between(self, new: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw rows between parents and their neighbours, shape ``(new, columns)``."""
        parent = rng.choice(len(self.X), size=new, p=self.weight)
        other = self.neighbors[parent, rng.integers(self.neighbors.shape[1], size=new)]
        step = rng.random((new, 1))
        rows = self.matrix[parent] + step * (self.matrix[other] - self.matrix[parent])
        for i, name in enumerate(self.X.columns):
            if name in self.known:
                rows[:, i] = _most_frequent(self.matrix[:, i][self.neighbors])[parent]
        return from_matrix(rows, self.X, self.known)


class _HardParents(RowAugmenter):
    """SMOTE whose parents are drawn by how foreign their neighbourhood is.

    Neighbours are found in raw units, numbers filled and categories kept as `smote` does; for the search two
    unequal categories stand as far apart as the median standard deviation of the numbers (SMOTE-NC). Where no
    row of a class is hard, all are parents alike: SMOTE. A class of one row is repeated; one of more than
    20,000 draws parents and their neighbours among a random 20,000.
    """

    around: ClassVar[int]

    @abstractmethod
    def weights(self, foreign: NDArray[np.intp]) -> NDArray[np.float64]:
        """Give how often to start from rows with so many foreign neighbours, ``(rows,)``, to any scale."""

    def learn(self, X: pd.DataFrame, y: NDArray[np.object_], *, seed: int) -> None:
        """Find the neighbours of every row but the largest class's, which never grows."""
        space = _search_space(*to_matrix(X), X)
        search = NearestNeighbors(n_neighbors=min(self.around + 1, len(X)), algorithm="kd_tree").fit(space)
        rng = np.random.default_rng(seed)
        codes, labels = pd.factorize(y)
        largest = np.bincount(codes).argmax()
        self._kin = {}
        for code, label in enumerate(labels):
            if code == largest:
                continue
            rows = np.flatnonzero(codes == code)
            if len(rows) > _MOST_PARENTS:
                rows = np.sort(rng.choice(rows, _MOST_PARENTS, replace=False))
            near = search.kneighbors(space[rows], return_distance=False)[:, 1:]
            weight = self.weights((codes[near] != code).sum(axis=1))
            weight = weight if weight.any() else np.ones(len(rows))
            self._kin[label] = _kin(X.iloc[rows], weight / weight.sum())

    def forge(self, counts: dict[str, int]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
        """Draw between hard rows and their neighbours."""
        rng = np.random.default_rng(self.seed)
        parts = [self._kin[label].between(new, rng) for label, new in counts.items()]
        labels = np.repeat(np.array(list(counts), dtype=object), list(counts.values()))
        return pd.concat(parts, ignore_index=True), labels


class BorderlineSmote(_HardParents):
    """SMOTE from the rows in danger: at least half, but not all, of their ten neighbours are foreign.

    Borderline-SMOTE 1 of Han et al. 2005, doi 10.1007/11538059_91.
    """

    name = "Borderline-SMOTE"
    around = 10

    def weights(self, foreign: NDArray[np.intp]) -> NDArray[np.float64]:
        """Start from rows in danger only; a row whose neighbours are all foreign counts as noise."""
        return ((foreign >= self.around / 2) & (foreign < self.around)).astype(np.float64)


class Adasyn(_HardParents):
    """SMOTE that starts from a row as often as it has foreign ones among its five neighbours.

    He et al. 2008, doi 10.1109/IJCNN.2008.4633969; parents are drawn, where the paper rounds, so that counts
    are exact.
    """

    name = "ADASYN"
    around = _NEIGHBORS

    def weights(self, foreign: NDArray[np.intp]) -> NDArray[np.float64]:
        """Start from a row in proportion to its foreign neighbours."""
        return foreign.astype(np.float64)


def _kin(X: pd.DataFrame, weight: NDArray[np.float64]) -> _Kin:
    """Find the neighbours within one class."""
    matrix, known = to_matrix(X)
    if len(X) == 1:
        return _Kin(X, matrix, known, np.zeros((1, 1), dtype=np.intp), weight)
    space = _search_space(matrix, known, X)
    search = NearestNeighbors(n_neighbors=min(_NEIGHBORS + 1, len(X)), algorithm="kd_tree").fit(space)
    return _Kin(X, matrix, known, search.kneighbors(space, return_distance=False)[:, 1:], weight)


def _search_space(
    matrix: NDArray[np.float64], known: dict[str, pd.Index], X: pd.DataFrame
) -> NDArray[np.float64]:
    """Give numbers, and one column a category, shape ``(rows, encoded columns)``."""
    numbers = matrix[:, [name not in known for name in X.columns]]
    spread = float(np.median(numbers.std(axis=0))) if numbers.shape[1] else 0.0
    length = (spread or 1.0) / np.sqrt(2)
    columns = [numbers]
    for i, name in enumerate(X.columns):
        if name in known:
            columns.append(length * (matrix[:, [i]] == np.unique(matrix[:, i])))
    return np.hstack(columns)


def _most_frequent(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each row's most frequent of ``(rows, k)`` values, of several the first; shape ``(rows,)``."""
    votes = (codes[:, :, None] == codes[:, None, :]).sum(axis=2)
    best: NDArray[np.float64] = np.take_along_axis(codes, votes.argmax(axis=1)[:, None], axis=1)[:, 0]
    return best
