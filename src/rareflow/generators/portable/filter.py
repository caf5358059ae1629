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

_EARLY_TREES = (52, 56, 60, 69, 78, 88, 100)  # percent of a forest's, after which decided rows leave
_SLACK = 0.01  # of a lead that decides


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

        The class has its head start of them. After some of the trees, the others see those rows only whose
        verdict they could still turn; and the second forest those that the first has left.
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
            nodes = (forest[name] for name in ("roots", "feature", "threshold", "children", "value"))
            judge(x, ends, *nodes, own, *_stages(trees), lists, len(rows), votes, lead)
        return lead >= 0


def _stages(trees: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """After how many trees decided rows leave, and by how much a class of theirs leads at most till then.

    A tree moves a lead by 1 at most. Sums in float32 are off by less than the slack.
    """
    ends = np.array([trees * percent // 100 for percent in _EARLY_TREES])
    return ends, (trees - ends + _SLACK).astype(np.float32)


def forest_features(scalars: Array, modes: Array) -> NDArray[np.float32]:
    """Give what the filter's forests see of scalars ``(S, N)`` and modes ``(B, N)``: both, ``(S + B, N)``."""
    width = len(scalars)
    features = np.empty((width + len(modes), modes.shape[1]), dtype=np.float32)
    narrow(np.asarray(scalars, np.float64), features)
    features[width:] = modes
    return features
