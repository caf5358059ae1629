"""How long a benchmark still takes, reckoned from the cells that are done."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rareflow.workflows.benchmarking.plan import Cell

__all__ = ["Countdown"]


class Countdown:
    """Mean seconds by augmenter and shots; where none is done, by augmenter.

    Nothing is foretold of an augmenter that was never done: RAW takes a second, a generator minutes.

    Parameters
    ----------
    seconds
        What cells took that are done already.
    jobs
        Processes that share what is left.
    """

    def __init__(self, seconds: Mapping[Cell, float], *, jobs: int) -> None:
        self._jobs = jobs
        self._seconds: dict[tuple[object, ...], list[float]] = defaultdict(list)
        for cell, value in seconds.items():
            self.add(cell, value)

    def add(self, cell: Cell, seconds: float) -> None:
        """Reckon with a cell that is done."""
        for key in _keys(cell):
            self._seconds[key].append(seconds)

    def left(self, cells: Iterable[Cell]) -> tuple[float, int]:
        """Give the seconds that these cells still take, and how many augmenters that leaves out."""
        total, unknown = 0.0, set()
        for cell in cells:
            known = next((self._seconds[key] for key in _keys(cell) if key in self._seconds), None)
            if known is None:
                unknown.add(cell.augmenter)
            else:
                total += float(np.mean(known))
        return total / self._jobs, len(unknown)


def _keys(cell: Cell) -> tuple[tuple[object, ...], ...]:
    """Name what cells may have in common, the nearest first."""
    return (cell.augmenter, cell.shots), (cell.augmenter,)
