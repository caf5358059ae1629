"""Fidelity: how near the forged rows of a class are to real rows of it that nothing was learned from.

The measures are those of SDMetrics (KSComplement, TVComplement, CorrelationSimilarity, ContingencySimilarity)
and of prdc, written here on NumPy, SciPy and scikit-learn: SDMetrics 0.32.0 and its Copulas 0.14.1 require
pandas below 3 (November 2026; older releases bear no bound, but were not made for it), and prdc 0.2 starts
eight workers for every distance matrix. The figures are equal to theirs (experiments/fidelity_libraries.py),
but where a point lies on the rim of a ball, as among few categories: it counts as within, in prdc as outside.

Measure against *held-out* rows: a copy of the training rows is then no better than real rows are. A finite
sample of real rows does not reach 1 either, so read a figure beside that of the training rows themselves.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from rareflow.evaluation.space import Rows, by_class, points
from rareflow.evaluation.two_sample import c2st_auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FIDELITY", "MIN_ROWS", "fidelity_by_class"]

FIDELITY = ("marginal", "pairwise", "c2st_auc", "precision", "recall", "density", "coverage")
"""The measures, in the order of the tables."""

MIN_ROWS = 10
"""Rows of each kind below which a class is not measured."""

_ROWS = 1_000  # of each kind that the column measures look at
_EQUAL_ROWS = 500  # of each kind that the row measures look at, equally many of both
_COLUMNS = 100  # that enter pairs
_NEIGHBORS = 5  # Naeem et al.'s choice
_BINS = 4  # a number's, in a pair with a category
_CATEGORIES = 20  # the most frequent ones of a column that a pair tells apart


def fidelity_by_class(
    real_X: pd.DataFrame,
    real_y: NDArray[Any],
    forged_X: pd.DataFrame,
    forged_y: NDArray[Any],
    *,
    seed: int,
) -> pd.DataFrame:
    """Compare the forged rows of each class with real rows of it, one row a class, by name.

    - ``marginal``, 0..1: mean over columns of 1 - Kolmogorov-Smirnov distance (numbers; a missing one counts
      as below all others) or 1 - total variation distance (categories; missing is one more).
    - ``pairwise``, 0..1: mean over column pairs of 1 - half the difference of Spearman's correlations (two
      numbers; 0 where a forged column is constant, the pair left out where the real one is) or 1 - total
      variation distance of the contingency tables (others, numbers cut at the real quartiles). More than 100
      columns: 100 of them, drawn.
    - ``c2st_auc``: AUC of a forest that tells forged from real, see `two_sample.c2st_auc`; 0.5: it cannot.
    - ``precision``, ``recall``, 0..1: share of forged rows within the real manifold, and of real rows within
      the forged one, by five nearest neighbours (Kynkäänniemi et al. 2019, arXiv 1904.06991).
    - ``density`` (>= 0, about 1 if equal) and ``coverage``, 0..1: their successors, less easily fooled by
      outliers (Naeem et al. 2020, arXiv 2002.09797).

    At most 1,000 rows of each kind are looked at, for the last five at most 500 and equally many.

    Parameters
    ----------
    real_X, real_y
        Held-out features ``(rows, columns)``, which no generator learned from, and labels as text
        ``(rows,)``.
    forged_X, forged_y
        Forged ones; columns are found by name.
    seed
        Seed of every draw and of the forest.

    Returns
    -------
    DataFrame
        Index ``class``; columns ``held_out_rows`` and ``forged_rows``, then `FIDELITY`: all NaN below
        `MIN_ROWS` rows of either kind, and a measure that no column or pair allows is NaN too.

    Raises
    ------
    DataError
        If features and labels differ in length, or the forged rows lack a column.
    """
    rows = {
        label: {
            "held_out_rows": len(real),
            "forged_rows": len(forged),
            **_measure(real, forged, seed=seed),
        }
        for label, (real, forged) in by_class(forged_y, (real_X, real_y), (forged_X, forged_y))
    }
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["held_out_rows", "forged_rows", *FIDELITY])
    return frame.rename_axis("class")


def _measure(real: Rows, forged: Rows, *, seed: int) -> dict[str, float]:
    """Take every measure of one class."""
    if min(len(real), len(forged)) < MIN_ROWS:
        return dict.fromkeys(FIDELITY, nan)
    equal = min(len(real), len(forged), _EQUAL_ROWS)
    here, there = points(real, real.draw(equal, seed), forged.draw(equal, seed))
    real, forged = real.draw(_ROWS, seed), forged.draw(_ROWS, seed)
    return {
        "marginal": _mean(_marginals(real, forged)),
        "pairwise": _mean(_pairs(real, forged, seed)),
        "c2st_auc": c2st_auc(here, there, seed=seed),
        **_manifold(here, there),
    }


def _mean(figures: list[float]) -> float:
    """Average what there is; nothing has no mean."""
    return float(np.mean(figures)) if figures else nan


def _marginals(real: Rows, forged: Rows) -> list[float]:
    """Give each column's similarity."""
    numbers = zip(_lined(real).T, _lined(forged).T, strict=True)
    codes = zip(real.codes.T, forged.codes.T, strict=True)
    return [1 - _ks(*pair) for pair in numbers] + [1 - _total_variation(*pair) for pair in codes]


def _ks(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Give the greatest distance of two samples' distribution functions."""
    at = np.concatenate([one, other])
    steps = [np.searchsorted(np.sort(each), at, side="right") / len(each) for each in (one, other)]
    return float(np.abs(steps[0] - steps[1]).max())


def _lined(rows: Rows) -> NDArray[np.float64]:
    """Give the numbers, missing ones below all others, shape ``(rows, N)``."""
    return np.where(np.isnan(rows.numbers), -np.inf, rows.numbers)


def _total_variation(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    """Give half the summed difference of two samples' shares of the categories."""
    most = int(max(one.max(), other.max())) + 1
    shares = [np.bincount(each, minlength=most) / len(each) for each in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _pairs(real: Rows, forged: Rows, seed: int) -> list[float]:
    """Give the similarity of each pair of columns that has one."""
    numbers, codes = _chosen(real.numbers.shape[1], real.codes.shape[1], seed)
    real, forged = (Rows(rows.numbers[:, numbers], rows.codes[:, codes]) for rows in (real, forged))
    similar = _correlation_similarity(_lined(real), _lined(forged)) if len(numbers) else np.empty((0, 0))
    if len(codes):
        tables = _contingency_similarity(real, forged)
        tables[: len(numbers), : len(numbers)] = similar
        similar = tables
    pairs = similar[np.triu_indices(len(similar), 1)]
    return pairs[~np.isnan(pairs)].tolist()


def _chosen(numbers: int, codes: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose the columns of numbers and of categories that enter pairs."""
    every = np.arange(numbers + codes)
    if len(every) > _COLUMNS:
        every = np.sort(np.random.default_rng(seed).choice(every, _COLUMNS, replace=False))
    return every[every < numbers], every[every >= numbers] - numbers


def _correlation_similarity(real: NDArray[np.float64], forged: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compare Spearman's correlations, shape ``(columns, columns)``; NaN where a real column is constant."""
    here, there = _spearman(real), _spearman(forged)
    return 1 - np.abs(here - np.nan_to_num(there)) / 2


def _spearman(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate the columns' ranks, shape ``(columns, columns)``; NaN where one is constant."""
    ranks = rankdata(numbers, axis=0)
    centred = ranks - ranks.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = np.divide(centred, length, out=np.full_like(centred, nan), where=length > 0)
    return unit.T @ unit


def _contingency_similarity(real: Rows, forged: Rows) -> NDArray[np.float64]:
    """Compare the contingency tables of all pairs, shape ``(columns, columns)``, in one product each."""
    binned = [_binned(*pair) for pair in zip(_lined(real).T, _lined(forged).T, strict=True)]
    binned += [_merged(*pair) for pair in zip(real.codes.T, forged.codes.T, strict=True)]
    starts = np.cumsum([0, *(1 + max(int(codes.max()) for codes in pair) for pair in binned)])
    tables = []
    for part, rows in enumerate((len(real), len(forged))):
        hot = np.zeros((rows, int(starts[-1])), dtype=np.float32)
        for start, pair in zip(starts, binned, strict=False):
            hot[np.arange(rows), start + pair[part]] = 1.0
        tables.append(hot.T @ hot / rows)
    apart = np.abs(tables[0] - tables[1]).astype(np.float64)
    return 1 - 0.5 * np.add.reduceat(np.add.reduceat(apart, starts[:-1], axis=0), starts[:-1], axis=1)


def _binned(real: NDArray[np.float64], forged: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Cut two samples at the quartiles of the first."""
    cuts = np.unique(np.quantile(real, np.arange(1, _BINS) / _BINS, method="lower"))
    return [np.searchsorted(cuts, each) for each in (real, forged)]


def _merged(real: NDArray[np.intp], forged: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Give two samples' categories new numbers, all but the most frequent ones the same."""
    counts = np.bincount(np.concatenate([real, forged]))
    rank = np.empty(len(counts), dtype=np.intp)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return [np.minimum(rank[each], _CATEGORIES - 1) for each in (real, forged)]


def _manifold(real: NDArray[np.float64], forged: NDArray[np.float64]) -> dict[str, float]:
    """Give precision, recall, density and coverage of two point sets of equal size, ``(rows, dimensions)``.

    A point on the rim of a ball is within it, as Kynkäänniemi et al. have it: of many equal rows the balls
    have no radius.
    """
    across = cdist(real, forged)
    within_real = across <= _radii(real)[:, None]
    within_forged = across <= _radii(forged)
    return {
        "precision": float(within_real.any(axis=0).mean()),
        "recall": float(within_forged.any(axis=1).mean()),
        "density": float(within_real.sum(axis=0).mean() / _NEIGHBORS),
        "coverage": float(within_real.any(axis=1).mean()),
    }


def _radii(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each point's distance to its fifth nearest other one, shape ``(rows,)``."""
    return np.partition(cdist(rows, rows), _NEIGHBORS, axis=1)[:, _NEIGHBORS]
