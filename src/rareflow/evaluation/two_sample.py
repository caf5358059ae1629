"""The classifier two-sample test: whether a forest can tell forged rows from real ones."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["c2st_auc"]

_FOLDS = 2
_TREES = 20
_MODE = 0.02  # share of the rows from which on equal ones are a mode, dealt out to every fold
_FEWEST = 2 * _FOLDS  # rows of a mode


def c2st_auc(real: NDArray[np.float64], forged: NDArray[np.float64], *, seed: int) -> float:
    """Give the cross-validated AUC of a forest that tells forged from real rows (C2ST).

    0.5: it cannot; 1: it always can. Lopez-Paz and Oquab 2017, arXiv 1610.06545, with the AUC in place of the
    accuracy. Equal rows stay in one fold: else a copy seen as real in training teaches the forest that its
    twin is real, and copying would score below 0.5. Only where equal rows are a mode (a fiftieth of all rows,
    and at least four) are they dealt out one by one: that real rows are there more often than forged ones is
    then something to learn.

    Parameters
    ----------
    real, forged
        Points, shape ``(rows, dimensions)``, as many of each and at least 2.
    seed
        Seed of folds and forest.

    Returns
    -------
    float
        0..1, the mean over two folds, each scored by the other's forest; NaN where a fold is of one kind.
    """
    rows = np.concatenate([real, forged])
    is_forged = np.repeat([False, True], [len(real), len(forged)])
    fold = _folds(rows, is_forged, np.random.default_rng(seed))
    if any(len(np.unique(is_forged[fold == one])) == 1 for one in range(_FOLDS)):
        return nan
    return float(np.mean([_auc(rows, is_forged, fold == held_out, seed) for held_out in range(_FOLDS)]))


def _auc(
    rows: NDArray[np.float64], is_forged: NDArray[np.bool_], test: NDArray[np.bool_], seed: int
) -> float:
    """Train on one part and score the other."""
    forest = RandomForestClassifier(_TREES, class_weight="balanced", random_state=seed)
    suspicion = forest.fit(rows[~test], is_forged[~test]).predict_proba(rows[test])[:, 1]
    return float(roc_auc_score(is_forged[test], suspicion))


def _folds(
    rows: NDArray[np.float64], is_forged: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Deal the rows out to folds, equal ones together, real and forged ones evenly, shape ``(rows,)``."""
    _, same, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    is_mode = counts[same] >= max(_FEWEST, _MODE * len(rows))
    _, unit = np.unique(np.where(is_mode, len(counts) + np.arange(len(rows)), same), return_inverse=True)
    forged_share = np.bincount(unit, weights=is_forged) / np.bincount(unit)
    order = np.lexsort((rng.random(len(forged_share)), forged_share))
    fold = np.empty(len(order), dtype=np.intp)
    fold[order] = np.arange(len(order)) % _FOLDS
    return fold[unit]
