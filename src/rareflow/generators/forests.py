"""Forests of scikit-learn's trees, bit for bit, without what scikit-learn repeats for every tree.

A forest numbers the classes once and hands those numbers to its trees; each tree then sorts them twice to
find out which classes there are. On a few thousand rows that takes half as long as growing the tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._criterion import Gini
from sklearn.tree._splitter import BestSplitter, RandomSplitter
from sklearn.tree._tree import DepthFirstTreeBuilder, Tree
from sklearn.utils import check_random_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["extra_trees", "random_forest"]

_SPLITTERS = {"best": BestSplitter, "random": RandomSplitter}
_DEEPEST = np.iinfo(np.int32).max  # scikit-learn's word for no limit
_LEAST_SPLIT, _LEAST_LEAF = 2, 1  # its defaults


def random_forest(**params: Any) -> RandomForestClassifier:  # noqa: ANN401 - scikit-learn's own
    """Give an unfitted random forest that fits and predicts as scikit-learn's does.

    Parameters
    ----------
    **params
        Among ``n_estimators``, ``max_depth``, ``random_state`` and ``n_jobs``; all else is at its default.
    """
    return _with_own_trees(RandomForestClassifier(**params), "best")


def extra_trees(**params: Any) -> ExtraTreesClassifier:  # noqa: ANN401 - scikit-learn's own
    """Give unfitted extremely randomised trees that fit and predict as scikit-learn's do.

    Parameters are those of `random_forest`.
    """
    return _with_own_trees(ExtraTreesClassifier(**params), "random")


def _with_own_trees(forest: Any, splitter: str) -> Any:  # noqa: ANN401 - scikit-learn is untyped
    """Let a forest grow our trees; it clones the one that it holds."""
    forest.estimator = _NumberedTree(splitter=splitter)
    return forest


class _NumberedTree(DecisionTreeClassifier):
    """A forest's tree at its defaults but for the depth, which trusts the forest's numbers of the classes.

    The hook is scikit-learn's own. Were it to go, trees would be fitted by scikit-learn: slower, the same.
    """

    def _fit(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.float64],
        sample_weight: NDArray[Any] | None = None,
        check_input: bool = True,  # noqa: ARG002 - scikit-learn's own; a forest has checked
        missing_values_in_feature_mask: NDArray[np.bool_] | None = None,
    ) -> Self:
        """Grow the tree on checked rows ``(rows, columns)`` whose classes ``(rows, 1)`` are 0..classes-1."""
        source = check_random_state(self.random_state)
        classes = np.array([int(y.max()) + 1], dtype=np.intp)
        weight = None if sample_weight is None else np.ascontiguousarray(sample_weight, dtype=np.float64)
        self.n_features_in_, self.n_outputs_ = X.shape[1], 1
        self.n_classes_, self.classes_ = classes[0], np.arange(classes[0], dtype=np.float64)
        self.max_features_ = max(1, int(np.sqrt(X.shape[1])))
        splitter = _SPLITTERS[self.splitter](
            Gini(1, classes), self.max_features_, _LEAST_LEAF, 0.0, source, None
        )
        depth = _DEEPEST if self.max_depth is None else self.max_depth
        self.tree_ = Tree(X.shape[1], classes, 1)
        builder = DepthFirstTreeBuilder(splitter, _LEAST_SPLIT, _LEAST_LEAF, 0.0, depth, 0.0)
        builder.build(self.tree_, X, y, weight, missing_values_in_feature_mask)
        return self
