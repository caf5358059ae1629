"""Work done here, or shared out among processes, each of which computes one task at a time."""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, TypeVar

from rareflow.errors import RareflowError, StoreError
from rareflow.workflows.progress import listen, say
from rareflow.workflows.settings import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from multiprocessing.connection import Connection

__all__ = ["Worker", "computed", "named", "workers"]

_PATIENCE_S = 10  # for a process that is told to end

Task = TypeVar("Task")
Answer = TypeVar("Answer")


def computed(
    tasks: Iterable[Task],
    work: Callable[[Task], Answer],
    *,
    jobs: int,
    n_threads: int,
    name: Callable[[Task], str],
) -> Generator[tuple[Task, Answer]]:
    """Compute tasks and give each as it is done; close the iterator to stop the processes.

    Parameters
    ----------
    tasks
        In the order in which they are begun; each is asked for when it is.
    work
        What gives a task's answer; goes to each process once, so it must be fit to be pickled.
    jobs
        Processes at most, >= 1; no more are started than there are tasks. 1 is this one.
    n_threads
        Threads of each other process.
    name
        A task's name in messages.

    Raises
    ------
    RareflowError
        If a task cannot be computed; its name is in the message. What was done by then has been given.
    StoreError
        If a process dies, as it does of a bug or where the system ends it for want of memory.
    """
    if jobs == 1:
        yield from _computed_here(tasks, work, name)
        return
    queue = iter(tasks)
    first = list(islice(queue, jobs))
    with workers(partial(_serve, work, n_threads), len(first), _PATIENCE_S) as started:
        busy = dict(zip(started, first, strict=True))
        for worker, task in busy.items():
            worker.send(task)
        while busy:
            ready = wait([worker.connection for worker in busy])
            answers = [
                (worker, busy.pop(worker), worker.answer())
                for worker in list(busy)
                if worker.connection in ready
            ]
            for worker, task, answer in sorted(answers, key=lambda each: isinstance(each[2], RareflowError)):
                if isinstance(answer, RareflowError):
                    raise named(name(task), answer) from answer
                for following in islice(queue, 1):
                    worker.send(following)
                    busy[worker] = following
                yield task, answer


def _computed_here(
    tasks: Iterable[Task], work: Callable[[Task], Answer], name: Callable[[Task], str]
) -> Generator[tuple[Task, Answer]]:
    """Compute tasks in this process, one after the other."""
    for task in tasks:
        try:
            answer = work(task)
        except RareflowError as err:
            raise named(name(task), err) from err
        except Exception:
            say(f"{name(task)}: FAILED")
            raise
        yield task, answer


@contextmanager
def workers(work: Callable[[Connection], None], count: int, patience_s: float) -> Iterator[list[Worker]]:
    """Start processes that do this work, each at its end of a pipe, and stop those that are left.

    They import side by side: what they work on is sent when all have started. Ctrl-C reaches the whole
    terminal, but they never hear it, not even while they import: this process alone heeds it. They end with
    it, also where it was killed and could tell nobody. Each has `patience_s` to end when it is asked to.
    """
    started: list[Worker] = []
    try:
        for _ in range(count):
            started.append(Worker())  # noqa: PERF401 - one by one, so that those before it are stopped too
        for worker in started:
            worker.send(work)
        yield started
    finally:
        for worker in started:
            worker.process.terminate()
        for worker in started:
            worker.process.join(patience_s)
            worker.process.kill()


def named(name: str, error: RareflowError) -> RareflowError:
    """Give the same error with a task's name in front."""
    error = copy.copy(error)
    error.args = (f"{name}: {error}",)
    return error


class Worker:
    """A process, and the pipe to it.

    An executor of the standard library has locks besides, which a Ctrl-C at a bad moment leaves locked.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, its_own = context.Pipe()
        self.process = context.Process(target=_begin, args=(its_own,))
        resource_tracker.ensure_running()  # unblocks Ctrl-C where it is started itself
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # as it is in the process then
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        its_own.close()  # so that the pipe ends with the process

    def send(self, what: object) -> None:
        """Send the work, or a task; of a process that is dead `answer` tells."""
        with suppress(OSError):
            self.connection.send(what)

    def answer(self) -> Any:  # noqa: ANN401 - the work's own, or a RareflowError
        """Wait for what becomes of the task that was sent."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return StoreError(
                f"its process died with exit code {self.process.exitcode}, perhaps for want of memory; "
                "what was finished is kept: run the same command again, with fewer --jobs"
            )


def _begin(connection: Connection) -> None:
    """Do the work that comes through a pipe, in a process of its own."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    listen()
    _receive(connection)(connection)


def _receive(connection: Connection) -> Any:  # noqa: ANN401 - work, or a task
    """Give what comes through the pipe, or end: nobody is at the other end any more."""
    try:
        return connection.recv()
    except EOFError:
        raise SystemExit(1) from None


def _serve(work: Callable[[Any], Any], n_threads: int, connection: Connection) -> None:
    """Compute the tasks that come through a pipe."""
    limit_threads(n_threads)
    while True:
        task = _receive(connection)
        try:
            connection.send(work(task))
        except RareflowError as err:
            connection.send(err)


def _follow_parent() -> None:
    """End with the parent; who closes something at a termination may do so."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE_S)
        os._exit(1)
