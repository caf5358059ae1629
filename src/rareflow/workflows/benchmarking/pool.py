"""The cells of a benchmark, computed here or in processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.errors import RareflowError
from rareflow.workflows.benchmarking.cells import Bench, cell_text
from rareflow.workflows.processes import in_processes, named
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from rareflow.evaluation.benchmark import Cell
    from rareflow.workflows.benchmarking.cells import Frames

__all__ = ["compute"]


def compute(cells: Iterable[Cell], bench: Bench, *, jobs: int) -> Generator[tuple[Cell, Frames]]:
    """Compute cells and give each as it is done; close the iterator to stop the processes.

    Parameters
    ----------
    cells
        In the order in which they are begun; each is asked for when it is.
    bench
        Goes to each process once.
    jobs
        Processes, >= 1; 1 is this one.

    Raises
    ------
    RareflowError
        If a cell cannot be computed; its name is in the message. Cells done by then have been given.
    StoreError
        If a process dies, as it does of a bug or where the system ends it for want of memory.
    """
    if jobs > 1:
        yield from in_processes(
            cells, bench.frames, jobs=jobs, n_threads=bench.protocol.n_threads, name=cell_text
        )
        return
    for cell in cells:
        try:
            frames = bench.frames(cell)
        except RareflowError as err:
            raise named(cell_text(cell), err) from err
        except Exception:
            say(f"{cell_text(cell)}: FAILED")
            raise
        yield cell, frames
