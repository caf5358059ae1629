"""The filter: two forests that keep the forged rows which both give to their own class.

They are fitted here and judge in `rareflow.generators.portable.filter`, which stands alone.
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

__all__ = ["fit_filter", "fit_forest", "forest_arrays"]

_HALVES = (RandomForestClassifier, ExtraTreesClassifier)  # of each forest's trees
_TREES, _NUMBERS_TREES = 32, 16  # in a half of the first forest, of the second
_DEPTH = 16
_FEW = 20  # rows, of a class that the second forest does not judge
_JUDGED, _ALL_JUDGED = 500, 50_000  # rows at most of each class and of all, to see how they are judged
_REFUSED = 0.1  # of those on straight lines at most
_TIE = 1e-3  # of a vote: rows as clear as the last one that is kept are kept, in float32 too
_RARER = 0.75  # of the median class's rows, the commonest left out, is fewer than its like have
_LINED = 10  # rows, of a class whose straight lines are enough to draw it on
_DOUBT = 0.1  # of the lead on straight lines that crossed rows lack: they are doubtful


def fit_filter(
    unfiltered: PortableGenerator, classes: NDArray[np.intp], seed: int
) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Fit the filter's forests on the anchors and on forged rows, and see what they say of each class.

    A class of n anchors beside a largest of m is grown to the square root of n m: a forest that saw ten rows
    of it would keep only what lies next to them.

    The first forest tells the classes apart by all that the codec tells. Of two classes that share their
    ground one would get most of it, and the other keep what noise has carried elsewhere: so each begins with
    as many votes as nine tenths of its rows on straight lines between real ones need not to be refused; most
    need none. A class gets none if it loses its ground to a commonest class, where forged rows would be false
    alarms, or if its rows are drawn from the prior, which are not meant to lie between real ones.

    A false alarm costs most where a class is rarer than its like. If such a class's crossed rows lead by
    fewer votes than those on its straight lines, noise has carried them into doubtful ground: it is to be
    drawn on the lines alone. One of fewer than 10 rows keeps its noise: its few lines say little of it.

    The second forest tells the commonest classes from the others, by numbers and categories alone. To the
    first, all numbers of a column that are none of its spikes are one mode: what is forged among the numbers
    of a commonest class, but is none of those that were seen there, looks to it like what lies far away. It
    judges no commonest class, nor one of fewer than 20 rows, where inner splits showed no gain.

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
    tensors
        Of both forests, as ``forest.classes.*`` and ``forest.numbers.*``, what `forest_arrays` gives;
        ``groups``, the group of each class, among which the forest chooses, ``(C,)``; and ``head_start``,
        the votes that each class begins with, ``(C,)``: as many as there are trees for one that it is not to
        judge.
    is_straight
        Which classes are to be drawn on straight lines, ``(C,)``; none but of mode ``crossover``.
    """
    counts, rng = np.bincount(classes), np.random.default_rng(seed)
    wanted = np.sqrt(counts * float(counts.max())).round().astype(int) - counts
    draws = [unfiltered.sampling.draw(index, count, rng, cross=False) for index, count in enumerate(wanted)]
    scalars = np.hstack([unfiltered.tensors["anchors.raw"].T, *(draw.scalars for draw in draws)])
    modes = np.hstack([unfiltered.tensors["anchors.modes"].T, *(draw.modes for draw in draws)])
    kinds = np.concatenate([classes, np.repeat(np.arange(len(counts)), wanted)])
    features = forest_features(scalars, modes).T
    first = fit_forest(features, kinds, seed, _TREES)
    is_common = counts == counts.max()
    features[:, _spiked(unfiltered)] = 0
    second = fit_forest(features, is_common[kinds], seed, _NUMBERS_TREES)
    group, is_spared = np.unique(is_common, return_inverse=True)[1], is_common | (counts < _FEW)
    head_start, is_straight = np.zeros(len(counts)), np.zeros(len(counts), bool)
    rows = min(_JUDGED, 1 + _ALL_JUDGED // len(counts))
    if unfiltered.spec["sampling"]["mode"] != "prior":
        leads = [
            _leads(first, unfiltered.sampling.draw_straight(index, rows, rng), index)
            for index in range(len(counts))
        ]
        head_start = np.array([_head_start(*each, is_common) for each in leads])
    if unfiltered.spec["sampling"]["mode"] == "crossover":
        for index in np.flatnonzero(_is_rarer(counts) & (counts >= _LINED)).tolist():
            crossed, _ = _leads(first, unfiltered.sampling.draw(index, rows, rng), index)
            lead = leads[index][0].mean()
            is_straight[index] = lead - crossed.mean() > _DOUBT * abs(lead)
    return _named("classes", first, np.arange(len(counts)), head_start) | (
        _named("numbers", second, group, np.where(is_spared, 2 * _NUMBERS_TREES, 0))
    ), is_straight


def _named(
    name: str, halves: list[Any], groups: NDArray[np.intp], head_start: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Give one forest's arrays, with the group and the head start of each class ``(C,)``, by their names."""
    arrays = forest_arrays(halves) | {
        "groups": groups.astype(np.uint32),
        "head_start": head_start.astype(np.float32),
    }
    return {f"forest.{name}.{key}": array for key, array in arrays.items()}


def _spiked(unfiltered: PortableGenerator) -> list[int]:
    """Give the features that are modes of columns which are scalars too."""
    return [
        unfiltered.layout.scalars + entry["block"]
        for entry in unfiltered.spec["columns"]
        if entry["scalar"] is not None and entry["block"] is not None
    ]


def _is_rarer(counts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which classes have fewer rows than their like, ``(C,)``: than the others but the commonest."""
    like = counts[counts < counts.max()]
    return counts < (_RARER * np.median(like) if len(like) else 0)


def _head_start(leads: NDArray[np.float64], rivals: NDArray[np.intp], is_common: NDArray[np.bool_]) -> float:
    """Give the votes that a class begins with, by what `_leads` says of its straight rows."""
    lost = rivals[leads < _TIE]
    if 2 * is_common[lost].sum() >= len(lost):
        return 0.0
    return max(_TIE - float(np.quantile(leads, _REFUSED)), 0.0)


def _leads(halves: list[Any], draw: Draw, index: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Give by how many votes each row's class leads the best other, and which that is, ``(N,)`` each."""
    votes = _votes(halves, draw)
    own = votes[:, index].copy()
    votes[:, index] = -1.0
    return own - votes.max(axis=1), votes.argmax(axis=1)


def _votes(halves: list[Any], draw: Draw) -> NDArray[np.float64]:
    """Give all trees' votes for each class, ``(N, C)``."""
    features = forest_features(draw.scalars, draw.modes).T
    with np.errstate(over="ignore", invalid="ignore"):  # as where they are fitted
        votes: NDArray[np.float64] = _TREES * sum(half.predict_proba(features) for half in halves)
    return votes


def fit_forest(features: NDArray[np.float32], answers: NDArray[Any], seed: int, trees: int) -> list[Any]:
    """Fit one of the filter's forests: half of the trees are a random forest's, half extremely randomised.

    Parameters
    ----------
    features
        As `rareflow.generators.portable.forest_features` gives them, transposed: ``(rows, S + B)``.
    answers
        What is to be told of each row, its class by number for one, ``(rows,)``.
    seed
        Of both halves.
    trees
        Of each half.

    Returns
    -------
    list
        Both halves, fitted: each has ``predict_proba`` and ``estimators_``.
    """
    halves = [make(trees, max_depth=_DEPTH, random_state=seed) for make in _HALVES]
    # Sums of numbers near float32's ends are no fault, and many classes of one row are no regression.
    with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        return [half.fit(features, answers) for half in halves]


def forest_arrays(halves: list[Any]) -> dict[str, NDArray[Any]]:
    """Give a fitted forest as arrays: nothing is pickled.

    Parameters
    ----------
    halves
        What `fit_forest` gave.

    Returns
    -------
    dict
        The nodes of all trees, one of each half in turn, so that a few say what all do: ``roots``, each
        tree's first node; ``feature`` and ``threshold`` of each node, in float32, rounded down, as what is
        compared with it is float32; ``children``, left (at most the threshold) and right of each node in
        turn, ``(2 * nodes,)``; ``value``, each group's share of the training rows there, ``(nodes, G)``. A
        leaf is its own child.
    """
    trees = [tree.tree_ for pair in zip(*(half.estimators_ for half in halves), strict=True) for tree in pair]
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
        "roots": roots.astype(np.uint32),
        "feature": np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(np.uint32),
        "threshold": np.where(is_leaf, np.float32(np.inf), threshold),
        "children": np.where(is_leaf, np.arange(len(is_leaf)), sides).T.astype(np.uint32).reshape(-1),
        "value": np.concatenate([tree.value[:, 0, :] for tree in trees]).astype(np.float32),
    }
