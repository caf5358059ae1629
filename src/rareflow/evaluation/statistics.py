"""Augmenters compared over seeds: paired differences, their intervals, and p-values that know their family.

Everywhere a *score frame* is meant: one row a seed, one column an augmenter, missing where a cell is. Two
augmenters are compared on the seeds that both have, because a seed's split moves both alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Paired",
    "Ranks",
    "average_ranks",
    "best_others",
    "comparable",
    "compare_each",
    "compare_paired",
    "holm",
    "scores_by_seed",
    "signed_rank_p",
]

_DIGITS = 9  # results are kept in six digits; what differs beyond nine is floating-point noise
_LEVEL = 0.95


@dataclass(frozen=True)
class Paired:
    """An augmenter against a reference over the same seeds.

    Parameters
    ----------
    augmenter, reference
        By name.
    seeds
        How many seeds both have.
    difference
        Mean of augmenter minus reference, in the unit of the scores.
    low, high
        95 % t interval of the difference; NaN where the seeds allow none, as one seed.
    p
        Wilcoxon's signed-rank test, two-sided, exact.
    p_holm
        The same after Holm's correction over the family it was made with; NaN where it was not tested.
    """

    augmenter: str
    reference: str
    seeds: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclass(frozen=True, eq=False)
class Ranks:
    """How augmenters rank over seeds.

    Parameters
    ----------
    ranks
        Average rank by augmenter, 1 the best, the best first; of those that are `comparable` alone.
    seeds
        How many seeds they all have.
    p
        Friedman's test that all rank alike; NaN with fewer than three augmenters or two seeds.
    critical_difference
        Average ranks further apart than this differ at the 5 % level (Nemenyi); NaN likewise.
    """

    ranks: pd.Series
    seeds: int
    p: float
    critical_difference: float


def scores_by_seed(results: pd.DataFrame) -> pd.DataFrame:
    """Give macro-F1 in percent, mean over the detectors: a row a seed, a column an augmenter.

    A seed that an augmenter has not is NaN.
    """
    means = results.pivot_table(index="seed", columns="augmenter", values="macro_f1", aggfunc="mean")
    return 100 * means[list(dict.fromkeys(results["augmenter"]))]


def compare_paired(scores: pd.DataFrame, augmenter: str, reference: str) -> Paired:
    """Compare two augmenters on the seeds that both have; a family of one needs no correction.

    Parameters
    ----------
    scores
        Score frame.
    augmenter, reference
        Two of its columns.

    Raises
    ------
    DataError
        If there is no such column, or no seed that both have.
    """
    for name in (augmenter, reference):
        if name not in scores.columns:
            raise DataError(
                f"augmenter {name!r} has no scores; there are {', '.join(map(str, scores.columns))}"
            )
    differences = (scores[augmenter] - scores[reference]).dropna().to_numpy(dtype=np.float64)
    if not len(differences):
        raise DataError(
            f"{augmenter!r} and {reference!r} have no seed in common; score both with the same seeds"
        )
    mean, half = float(differences.mean()), _half_width(differences)
    p = signed_rank_p(differences)
    return Paired(augmenter, reference, len(differences), mean, mean - half, mean + half, p, p)


def compare_each(
    scores: pd.DataFrame, references: Mapping[str, str], *, tested: bool = True
) -> dict[str, Paired]:
    """Compare augmenters with a reference each, as one family; one without a seed in common is left out.

    What one seed alone compares has no interval and no p, and is none of the family.

    Parameters
    ----------
    scores
        A row a seed, a column an augmenter.
    references
        The augmenter that each is compared with; itself or one that was not scored counts for nothing.
    tested
        Whether the seeds differ in their data. Where they do not, their spread tells nothing of other data:
        no interval, no p.
    """
    compared = [
        compare_paired(scores, name, reference)
        for name, reference in references.items()
        if name != reference and reference in scores and len(scores[[name, reference]].dropna())
    ]
    untested = {each.augmenter: replace(each, low=nan, high=nan, p=nan, p_holm=nan) for each in compared}
    family = [each for each in compared if tested and each.seeds > 1]
    corrected = holm([each.p for each in family])
    return untested | {
        each.augmenter: replace(each, p_holm=float(p)) for each, p in zip(family, corrected, strict=True)
    }


def best_others(scores: pd.DataFrame) -> dict[str, str]:
    """Give for each augmenter the one with the highest mean among the others, of equals the first.

    Means over different seeds do not compare: one lucky seed would be the best. So only seeds that the
    augmenter has count, and only those others that have all of them; if none has, those that have most. None
    stands for an augmenter that shares no seed with another one.
    """
    found = {}
    for name in scores.columns:
        others = scores[scores[name].notna()].drop(columns=name)
        shared = others.count()
        if shared.any():
            means = others.loc[:, shared == shared.max()].mean()
            found[name] = str(means.index[int(means.to_numpy().argmax())])
    return found


def comparable(scores: pd.DataFrame) -> pd.DataFrame:
    """Give the largest score frame without a gap: augmenters that have most seeds, and the seeds of them all.

    One augmenter with a seed or two does not cost the others theirs. Of equally many scores those of more
    augmenters are taken; two augmenters at least, if there are two. Without a row where these share no seed.
    """
    by_seeds = scores.count().sort_values(ascending=False, kind="stable").index
    least = min(2, len(by_seeds))
    blocks = [scores[list(by_seeds[:n])].dropna() for n in range(len(by_seeds), least - 1, -1)]
    largest = max(blocks, key=lambda block: block.size)
    return largest[[name for name in scores.columns if name in largest]]


def signed_rank_p(differences: ArrayLike) -> float:
    """Give the exact two-sided p of Wilcoxon's signed-rank test.

    Differences of 0 are left out, as Wilcoxon did; 1 if all are 0. Equal sizes share their mean rank, and the
    distribution is that of those very ranks, so the p is exact with ties too.

    Parameters
    ----------
    differences
        One a seed, shape ``(seeds,)``; those below 1e-9 count as 0.
    """
    values = np.round(np.asarray(differences, dtype=np.float64), _DIGITS)
    values = values[values != 0]
    doubled = np.rint(2 * stats.rankdata(np.abs(values))).astype(np.intp)
    # ways[s]: share of all assignments of signs whose positive doubled ranks add up to s.
    ways = np.ones(1)
    for rank in doubled:
        shifted = np.concatenate([np.zeros(rank), ways])
        ways = (np.concatenate([ways, np.zeros(rank)]) + shifted) / 2
    smaller = min(doubled[values > 0].sum(), doubled[values < 0].sum())
    return min(1.0, 2 * float(ways[: smaller + 1].sum()))


def holm(p: Sequence[float]) -> NDArray[np.float64]:
    """Correct p-values for their number after Holm 1979, in their order, shape ``(tests,)``."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def average_ranks(scores: pd.DataFrame) -> Ranks | None:
    """Rank the augmenters of each seed, and test whether they rank alike (Demsar 2006, JMLR 7:1-30).

    ``None`` where no two augmenters have a seed in common.

    Parameters
    ----------
    scores
        Score frame; what is not `comparable` in it is left out, ties share their mean rank.
    """
    whole = comparable(scores).round(_DIGITS)
    seeds, augmenters = whole.shape
    if not seeds:
        return None
    each = whole.rank(axis=1, ascending=False)
    ranks = each.mean().sort_values(kind="stable")
    if augmenters < 3 or seeds < 2:  # noqa: PLR2004 - with fewer there is nothing to test
        return Ranks(ranks, seeds, nan, nan)
    if each.nunique(axis=1).eq(1).all():
        p = 1.0  # all tied everywhere, where the statistic is 0 / 0
    else:
        p = float(stats.friedmanchisquare(*whole.to_numpy().T).pvalue)
    span = float(stats.studentized_range.ppf(_LEVEL, augmenters, np.inf)) / np.sqrt(2)
    return Ranks(ranks, seeds, p, float(span * np.sqrt(augmenters * (augmenters + 1) / (6 * seeds))))


def _half_width(differences: NDArray[np.float64]) -> float:
    """Give half the width of the t interval of a mean; NaN from one value."""
    if len(differences) == 1:
        return nan
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return float(stats.t.ppf((1 + _LEVEL) / 2, len(differences) - 1) * error)
