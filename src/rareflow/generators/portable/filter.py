"""The filter's verdict: two forests that keep the forged rows which both give to their own class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .kernels import judge, narrow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .kernels import Array
    from .layout import Draw

__all__ = ["Filter", "forest_features"]

_EARLY_TREES = (25, 38, 52, 66, 80, 100)  # percent of a forest's, after which decided rows leave
_SURE = 3.5  # standard errors from a tie, beyond which a row is decided


class Filter:
    """Forests that judge drawn rows.

    Parameters
    ----------
    forests
        The arrays of each, as `rareflow.generators.filter.fit_filter` names them; none: every row is kept.
    """

    def __init__(self, forests: list[dict[str, Array]]) -> None:
        self.forests = forests

    def __bool__(self) -> bool:
        return bool(self.forests)

    def is_own(self, draw: Draw, index: int) -> NDArray[np.bool_]:
        """Tell which rows go to a class, ``(N,)``: in neither forest has another group more of the votes.

        The class has its head start of them. After some of the trees the others see those rows only whose
        lead is fewer than 3.5 standard errors from a tie's, which hardly ever turns a verdict (Schwing et
        al., CVPR 2011, on how many experts to ask); the second forest sees those that the first has left.
        """
        x = forest_features(draw.scalars, draw.modes)
        ends = np.stack([x.min(axis=1), x.max(axis=1)], axis=1)
        lists, lead = np.empty((3, len(draw)), np.uint32), np.zeros(len(draw), np.float32)
        for forest in self.forests:
            trees, own = len(forest["roots"]), forest["groups"][index]
            if forest["head_start"][index] >= trees:  # nobody can overtake it
                continue
            rows = np.flatnonzero(lead >= 0)
            lists[2, : len(rows)] = rows
            votes = np.zeros((len(draw), forest["value"].shape[1]), np.float32)
            votes[:, own] = forest["head_start"][index]
            stages = _stages(trees, forest["head_start"][index])
            nodes = (forest[name] for name in ("roots", "feature", "threshold", "children", "value"))
            judge(x, ends, *nodes, own, *stages, lists, len(rows), votes, lead)
        return lead >= 0


def _stages(
    trees: int, head_start: float
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    """After how many trees decided rows leave; there a tie's mean lead, and how far from it is still doubt.

    A tree moves a lead by 1 at most. Of votes that end in a tie, those of some trees, in random order, have a
    standard error of at most ``sqrt(some * (1 - some / all))``, and owe the others a part of the head start.
    """
    ends = np.array([trees * percent // 100 for percent in _EARLY_TREES])
    to_come = 1 - ends / trees
    owed, doubt = head_start * to_come, _SURE * np.sqrt(ends * to_come)
    return ends, owed.astype(np.float32), doubt.astype(np.float32)


def forest_features(scalars: Array, modes: Array) -> NDArray[np.float32]:
    """Give what the filter's forests see of scalars ``(S, N)`` and modes ``(B, N)``: both, ``(S + B, N)``."""
    width = len(scalars)
    features = np.empty((width + len(modes), modes.shape[1]), dtype=np.float32)
    narrow(np.asarray(scalars, np.float64), features)
    features[width:] = modes
    return features
