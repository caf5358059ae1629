"""Privacy: what the forged rows of a class give away about the training rows it was learned from.

Three questions, none of which answers the others: are forged rows *copies* of training rows, do they lie
*next to* one, and can someone who holds the forged rows tell a training row from another real row of the
class (*membership inference*)? The distance to the nearest training row alone is no measure of privacy
(Ganev and De Cristofaro 2023, arXiv 2312.05114; "The DCR Delusion" 2025, arXiv 2505.01524). Real rows repeat
too, so the same shares are given for held-out real rows: what is above them comes from the generator. An
attack that fails proves nothing about a better one.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances_argmin_min, roc_auc_score

from rareflow.evaluation.fidelity import MIN_ROWS
from rareflow.evaluation.space import Rows, by_class, points, row_ids, stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PRIVACY", "privacy_by_class"]

PRIVACY = ("copies", "copies_held_out", "near_copies", "near_copies_held_out", "membership_auc")
"""The measures, in the order of the tables."""

_ROWS = 500  # whose distances are looked at
_FORGED_ROWS = 5_000  # that the attacker holds
_TRAIN_ROWS = 20_000  # near to which rows are looked for
_NEAR = 0.1  # of the typical distance between neighbours
_SAME = 1e-4  # of that distance: what rounding can make of equal rows


def privacy_by_class(
    train_X: pd.DataFrame,
    train_y: NDArray[Any],
    held_out_X: pd.DataFrame,
    held_out_y: NDArray[Any],
    forged_X: pd.DataFrame,
    forged_y: NDArray[Any],
    *,
    seed: int,
) -> pd.DataFrame:
    """Give what the forged rows of each class give away, one row a class, by name.

    - ``copies``, 0..1: share of forged rows that equal a training row of the class in all columns.
    - ``near_copies``, 0..1: share of forged rows that are nearer to a training row than real rows are to
      each other. Near is a tenth of the typical distance: the median, over at most 500 distinct training
      rows, of the distance to the nearest other training row, whether it is one of them or not, in the space
      of `rareflow.evaluation.space.points`. Copies are near. At most 500 forged rows are looked at. Of more
      than 20,000 training rows that many are drawn, and only exact copies of the others are found: the share
      is then a lower bound.
    - ``copies_held_out``, ``near_copies_held_out``: the same shares of held-out rows.
    - ``membership_auc``, 0..1: AUC of an attack that tells training rows from held-out ones by the forged
      rows. 0.5: nothing leaks this way; 1: every training row is recognised. The attacker suspects a row
      near which forged rows are denser than real ones should be: the score is the logarithm of the distance
      to the nearest held-out row (itself left out) over that to the nearest forged row, which is the log
      ratio of two one-neighbour density estimates, but for a factor. It is DOMIAS (van Breugel et al. 2023,
      arXiv 2302.12580) in its simplest form. Members are training rows, non-members are held-out rows, which
      are the reference too; at most 500 of each are asked about. The attacker holds at most 5,000 forged
      rows: a leak beyond them is not seen.

    Parameters
    ----------
    train_X, held_out_X, forged_X
        Features, shape ``(rows, columns)``, of the same columns.
    train_y, held_out_y, forged_y
        Labels as text, shape ``(rows,)``.
    seed
        Seed of every draw.

    Returns
    -------
    DataFrame
        Index ``class``; columns ``train_rows``, ``held_out_rows`` and ``forged_rows``, then `PRIVACY`. A
        share is NaN without rows; near copies are with fewer than `fidelity.MIN_ROWS` distinct training
        rows, and the attack is below so many rows of any kind.

    Raises
    ------
    DataError
        If features and labels differ in length, or a column is missing.
    """
    parts = ((train_X, train_y), (held_out_X, held_out_y), (forged_X, forged_y))
    counts = ["train_rows", "held_out_rows", "forged_rows"]
    rows = {
        label: {**dict(zip(counts, map(len, own), strict=True)), **_measure(*own, seed=seed)}
        for label, own in by_class(forged_y, *parts)
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*counts, *PRIVACY]).rename_axis("class")


def _measure(train: Rows, held_out: Rows, forged: Rows, *, seed: int) -> dict[str, float]:
    """Take every measure of one class."""
    copies, near = _copies(train, forged, held_out), _near_copies(train, forged, held_out, seed=seed)
    attack = _membership_auc(train, held_out, forged, seed=seed)
    return dict(zip(PRIVACY, (copies[0], copies[1], near[0], near[1], attack), strict=True))


def _copies(train: Rows, *parts: Rows) -> list[float]:
    """Give each part's share of copies."""
    known, *asked = row_ids(train, *parts)
    return [_share(np.isin(ids, known)) for ids in asked]


def _near_copies(train: Rows, *parts: Rows, seed: int) -> list[float]:
    """Give each part's share of near copies."""
    parts = tuple(part.draw(_ROWS, seed) for part in parts)
    every, *ids = row_ids(train, *parts)
    train = train.draw(_TRAIN_ROWS, seed)
    known, *asked = points(train, train, *parts)
    known = np.unique(known, axis=0)
    if len(known) < MIN_ROWS:
        return [nan] * len(parts)
    tree = KDTree(known)
    near = _NEAR * _typical(tree, seed)
    return [
        _share((tree.query(rows, distance_upper_bound=near)[0] < near) | np.isin(own, every))
        for rows, own in zip(asked, ids, strict=True)
    ]


def _share(marked: NDArray[np.bool_]) -> float:
    """Give the share of what is marked; nothing has none."""
    return float(marked.mean()) if len(marked) else nan


def _membership_auc(train: Rows, held_out: Rows, forged: Rows, *, seed: int) -> float:
    """Attack one class."""
    if min(len(train), len(held_out), len(forged)) < MIN_ROWS:
        return nan
    parts = [part.draw(_ROWS, seed) for part in (train, held_out)]
    members, others, made = points(stack(*parts), *parts, forged.draw(_FORGED_ROWS, seed))
    # As many references for a member as for a non-member, which is none for itself.
    apart = _without_itself(others)
    to_real = np.r_[cdist(members, others[1:]).min(axis=1), apart.min(axis=1)]
    asked = np.concatenate([members, others])
    to_forged = pairwise_distances_argmin_min(asked, made)[1]
    least = _SAME * (float(np.median(to_real)) or 1.0)
    suspicion = np.log(np.maximum(to_real, least)) - np.log(np.maximum(to_forged, least))
    return float(roc_auc_score(np.repeat([1, 0], [len(members), len(others)]), suspicion))


def _typical(tree: KDTree, seed: int) -> float:
    """Give the median distance of some of a tree's points, all distinct, to their nearest other one in it."""
    some = tree.data
    if len(some) > _ROWS:
        some = np.random.default_rng(seed).choice(some, _ROWS, replace=False)
    return float(np.median(tree.query(some, k=2)[0][:, 1]))  # the first is the point itself


def _without_itself(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the distances between points, infinite to itself, shape ``(rows, rows)``."""
    apart = cdist(rows, rows)
    np.fill_diagonal(apart, np.inf)
    return apart
