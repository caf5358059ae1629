"""The filter: two forests that prefer the forged rows which they give to their own class.

They are fitted here and judge in `rareflow.generators.portable`, which stands alone.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from rareflow.generators.portable import forest_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rareflow.generators.portable import Draw, PortableGenerator

__all__ = ["fit_filter", "fit_forests", "forest_arrays"]

_FORESTS = (RandomForestClassifier, ExtraTreesClassifier)
_TREES = 32  # of each of the two
_DEPTH = 16
_STRAIGHT_ROWS, _ALL_STRAIGHT_ROWS = 500, 50_000  # at most of each class and of all, for their head start
_REFUSED = 0.1  # of them at most
_TIE = 1e-3  # of a vote: rows as clear as the last one that is kept are kept, in float32 too


def fit_filter(
    unfiltered: PortableGenerator, classes: NDArray[np.intp], seed: int
) -> dict[str, NDArray[Any]]:
    """Fit the filter's forests on the anchors and on forged rows, and give classes a head start of votes.

    A class of n anchors beside a largest of m is grown to the square root of n m: a forest that saw ten rows
    of it would keep only what lies next to them. Of two classes that share their ground one would get most of
    it, and the other keep what noise has carried elsewhere: so each begins with as many votes as nine tenths
    of its rows on straight lines between real ones need not to be refused; most need none. A class gets none
    if it loses its ground to a commonest class, where forged rows would be false alarms, or if its rows are
    drawn from the prior, which are not meant to lie between real ones.

    Parameters
    ----------
    unfiltered
        The generator, whose anchors and rows these are.
    classes
        The class of each anchor by number, from 0, shape ``(A,)``.
    seed
        Of the forged rows and the forests.

    Returns
    -------
    dict
        See `forest_arrays`; and ``forest.head_start``, the votes that each class begins with, ``(C,)``.
    """
    counts, rng = np.bincount(classes), np.random.default_rng(seed)
    wanted = np.sqrt(counts * float(counts.max())).round().astype(int) - counts
    draws = [unfiltered.draw(index, count, rng, cross=False) for index, count in enumerate(wanted)]
    scalars = np.hstack([unfiltered.tensors["anchors.raw"].T, *(draw.scalars for draw in draws)])
    modes = np.hstack([unfiltered.tensors["anchors.modes"].T, *(draw.modes for draw in draws)])
    kinds = np.concatenate([classes, np.repeat(np.arange(len(counts)), wanted)])
    forests = fit_forests(forest_features(scalars, modes).T, kinds, seed)
    return forest_arrays(forests) | {"forest.head_start": _head_start(forests, unfiltered, counts, rng)}


def _head_start(
    forests: list[Any],
    unfiltered: PortableGenerator,
    counts: NDArray[np.intp],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Give the votes that each class begins with, ``(C,)``, from the classes' numbers of anchors."""
    kinds, is_rare = len(counts), counts < counts.max()
    if unfiltered.spec["sampling"]["mode"] == "prior":
        return np.zeros(kinds, np.float32)
    rows = min(_STRAIGHT_ROWS, 1 + _ALL_STRAIGHT_ROWS // kinds)
    head_start = np.zeros(kinds, np.float32)
    for index in range(kinds):
        votes = _votes(forests, unfiltered.draw_straight(index, rows, rng))
        own = votes[:, index].copy()
        votes[:, index] = -1.0
        leads, rivals = own - votes.max(axis=1), votes.argmax(axis=1)
        lost_to_rare = is_rare[rivals[leads < _TIE]]
        if 2 * lost_to_rare.sum() > len(lost_to_rare):
            head_start[index] = max(_TIE - np.quantile(leads, _REFUSED), 0.0)
    return head_start


def _votes(forests: list[Any], draw: Draw) -> NDArray[np.float64]:
    """Give all trees' votes for each class, ``(N, C)``."""
    features = forest_features(draw.scalars, draw.modes).T
    with np.errstate(over="ignore", invalid="ignore"):  # as where they are fitted
        votes: NDArray[np.float64] = _TREES * sum(forest.predict_proba(features) for forest in forests)
    return votes


def fit_forests(features: NDArray[np.float32], classes: NDArray[np.intp], seed: int) -> list[Any]:
    """Fit the filter's two forests: half of the trees are a random forest's, half extremely randomised.

    Parameters
    ----------
    features
        As `rareflow.generators.portable.forest_features` gives them, transposed: ``(rows, S + B)``.
    classes
        The class of each row by number, ``(rows,)``.
    seed
        Of both forests.

    Returns
    -------
    list
        Both, fitted: each has ``predict_proba`` and ``estimators_``.
    """
    forests = [make(_TREES, max_depth=_DEPTH, random_state=seed) for make in _FORESTS]
    # Sums of numbers near float32's ends are no fault, and many classes of one row are no regression.
    with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        return [forest.fit(features, classes) for forest in forests]


def forest_arrays(forests: list[Any]) -> dict[str, NDArray[Any]]:
    """Give fitted forests as arrays (``forest.*``): nothing is pickled.

    Parameters
    ----------
    forests
        What `fit_forests` gave.

    Returns
    -------
    dict
        The nodes of all trees, one after the other: ``roots``, each tree's first node; ``feature`` and
        ``threshold`` of each node, in float32, rounded down, as what is compared with it is float32;
        ``children``, left (at most the threshold) and right of each node in turn, ``(2 * nodes,)``;
        ``value``, each class's share of the training rows there, ``(nodes, C)``. A leaf is its own child.
    """
    trees = [tree.tree_ for forest in forests for tree in forest.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    sides = [
        np.concatenate([getattr(tree, side) + root for tree, root in zip(trees, roots, strict=True)])
        for side in ("children_left", "children_right")
    ]
    exact = np.concatenate([tree.threshold for tree in trees])
    threshold = exact.astype(np.float32)
    threshold = np.where(threshold > exact, np.nextafter(threshold, np.float32(-np.inf)), threshold)
    return {
        "forest.roots": roots.astype(np.uint32),
        "forest.feature": np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(
            np.uint32
        ),
        "forest.threshold": np.where(is_leaf, np.float32(np.inf), threshold),
        "forest.children": np.where(is_leaf, np.arange(len(is_leaf)), sides).T.astype(np.uint32).reshape(-1),
        "forest.value": np.concatenate([tree.value[:, 0, :] for tree in trees]).astype(np.float32),
    }
