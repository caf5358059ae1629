"""One cell of a benchmark as the rows that it adds to the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rareflow.errors import RareflowError
from rareflow.evaluation.benchmark import make_part, run_cell
from rareflow.evaluation.quality import quality_by_class
from rareflow.workflows.benchmarking.plan import shots_text, splits_text
from rareflow.workflows.processes import named
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rareflow.data.table import Table
    from rareflow.evaluation.benchmark import CellResult, Part, Protocol
from rareflow.workflows.benchmarking.plan import Cell

__all__ = ["Bench", "Frames", "cell_text", "tell_part", "tell_parts"]

Frames = dict[str, pd.DataFrame]
"""A cell's rows by file: ``results``, ``classes`` and, where rows were forged and measured, ``fidelity``."""


class Bench:
    """Computes cells; what those of one number of shots and one seed share is kept until another comes.

    Parameters
    ----------
    table
        The whole table; with an official test part, the training part.
    test
        An official test part, or ``None``.
    protocol
        How every cell is computed.
    fidelity
        Whether forged rows are compared with real ones.
    """

    def __init__(self, table: Table, test: Table | None, protocol: Protocol, *, fidelity: bool) -> None:
        self.protocol = protocol
        self._table, self._test, self._fidelity = table, test, fidelity
        self._parts: dict[tuple[int | None, int], Part] = {}

    def prepare(self, cell: Cell) -> None:
        """Make the part of a cell, which is the next one that is computed: what cannot be split ends here.

        Raises
        ------
        RareflowError
            If it cannot be made; the cell's name is in the message.
        """
        try:
            self._part(cell)
        except RareflowError as err:
            raise named(cell_text(cell), err) from err

    def frames(self, cell: Cell) -> Frames:
        """Compute a cell, fractions in six digits: its files and its run hold the same."""
        part = self._part(cell)
        result = run_cell(part, cell.augmenter, self.protocol)
        key = {"shots": shots_text(cell.shots), "seed": cell.seed, "augmenter": cell.augmenter}
        split = self.protocol.split if self._test is None else "test file"
        head = {"table": self._table.name, "split": split, **key}
        frames = {"results": _results(head, result), "classes": _classes(head, result)}
        if self._fidelity and result.forged:
            quality = quality_by_class(part.train, part.test, *result.forged, seed=cell.seed)
            frames["fidelity"] = pd.DataFrame([head] * len(quality)).join(quality.reset_index())
        return {name: frame.round(6) for name, frame in frames.items()}

    def _part(self, cell: Cell) -> Part:
        key = (cell.shots, cell.seed)
        if key not in self._parts:
            # Cells come in order: the part before is done with.
            self._parts = {
                key: make_part(self._table, self.protocol, shots=cell.shots, seed=cell.seed, test=self._test)
            }
        return self._parts[key]


def cell_text(cell: Cell) -> str:
    """Name a cell for the screen."""
    return f"{_part_text(cell)}, {cell.augmenter}"


def _part_text(cell: Cell) -> str:
    shots = "all rows" if cell.shots is None else f"{cell.shots} shots"
    return f"{shots}, seed {cell.seed}"


def tell_part(cell: Cell, protocol: Protocol) -> None:
    """Tell that a cell's part is made, which takes minutes where the table is wide."""
    say(f"{_part_text(cell)}: scoring the table as it is on {splits_text(protocol.repeats)} ...")


def tell_parts(cells: Sequence[Cell], protocol: Protocol) -> Iterator[Cell]:
    """Pass cells on as they are begun, and tell of each part but the first, which has been made by then."""
    for before, cell in zip([*cells[:1], *cells], cells, strict=False):
        if (before.shots, before.seed) != (cell.shots, cell.seed):
            tell_part(cell, protocol)
        yield cell


def _results(head: dict[str, object], result: CellResult) -> pd.DataFrame:
    """Give a row a detector."""
    return pd.DataFrame(
        [
            {
                **head,
                "detector": detector,
                "amount": result.amount,
                **scores.summary(),
                "seconds": round(result.seconds, 2),
            }
            for detector, scores in result.scores.items()
        ]
    )


def _classes(head: dict[str, object], result: CellResult) -> pd.DataFrame:
    """Give a row a class: F1, mean over the detectors, NaN without a test row."""
    per_class = [scores.per_class for scores in result.scores.values()]
    return pd.DataFrame(
        [
            {
                **head,
                "class": label,
                "f1": float(np.mean([each[label].f1 for each in per_class])),
                "support": first.support,
            }
            for label, first in per_class[0].items()
        ]
    )
