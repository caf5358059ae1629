"""The cells of a benchmark, computed here or in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from itertools import islice
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from rareflow.errors import RareflowError, StoreError
from rareflow.workflows.benchmarking.cells import Bench, cell_text
from rareflow.workflows.progress import listen, say
from rareflow.workflows.settings import limit_threads

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from multiprocessing.connection import Connection

    from rareflow.evaluation.benchmark import Cell
    from rareflow.workflows.benchmarking.cells import Frames

__all__ = ["compute"]

_PATIENCE_S = 10  # for a process that is told to end


def compute(cells: Sequence[Cell], bench: Bench, *, jobs: int) -> Generator[tuple[Cell, Frames]]:
    """Compute cells and give each as it is done; close the iterator to stop the processes.

    Parameters
    ----------
    cells
        In the order in which they are begun.
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
        yield from _in_processes(cells, bench, jobs)
        return
    for cell in cells:
        try:
            frames = bench.frames(cell)
        except RareflowError as err:
            raise _named(cell, err) from err
        except Exception:
            say(f"{cell_text(cell)}: FAILED")
            raise
        yield cell, frames


def _named(cell: Cell, error: RareflowError) -> RareflowError:
    """Give the same error with the cell's name in front."""
    return type(error)(f"{cell_text(cell)}: {error}")


def _in_processes(cells: Sequence[Cell], bench: Bench, jobs: int) -> Generator[tuple[Cell, Frames]]:
    """Give each process a cell after the other; one that failed is told after those done with it."""
    queue = iter(cells)
    workers: list[_Worker] = []
    busy: dict[_Worker, Cell] = {}
    try:
        for cell in islice(queue, jobs):
            workers.append(_Worker(bench))
            workers[-1].connection.send(cell)
            busy[workers[-1]] = cell
        while busy:
            ready = wait([worker.connection for worker in busy])
            answers = [
                (worker, busy.pop(worker), worker.answer())
                for worker in list(busy)
                if worker.connection in ready
            ]
            for worker, cell, answer in sorted(answers, key=lambda each: isinstance(each[2], RareflowError)):
                if isinstance(answer, RareflowError):
                    raise _named(cell, answer) from answer
                for following in islice(queue, 1):
                    worker.connection.send(following)
                    busy[worker] = following
                yield cell, answer
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join(_PATIENCE_S)
            worker.process.kill()


class _Worker:
    """A process that computes one cell at a time, and the pipe to it.

    An executor of the standard library has locks besides, which a Ctrl-C at a bad moment leaves locked.
    """

    def __init__(self, bench: Bench) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, its_own = context.Pipe()
        self.process = context.Process(target=_serve, args=(bench, its_own))
        self.process.start()
        its_own.close()  # so that the pipe ends with the process

    def answer(self) -> Frames | RareflowError:
        """Wait for what becomes of the cell that was sent."""
        try:
            answer: Frames | RareflowError = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return StoreError(
                f"its process died with exit code {self.process.exitcode}, perhaps for want of memory; "
                "what was finished is kept: run the same command again, with fewer --jobs"
            )
        return answer


def _serve(bench: Bench, connection: Connection) -> None:
    """Compute the cells that come through a pipe, in a process of its own."""
    # Ctrl-C reaches the whole terminal: the parent alone heeds it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    listen()
    limit_threads(bench.protocol.n_threads)
    while True:
        cell = connection.recv()
        try:
            connection.send(bench.frames(cell))
        except RareflowError as err:
            connection.send(err)


def _follow_parent() -> None:
    """End with the parent, also where that was killed and could tell nobody."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
