"""Workers of this machine: this process, or several that it starts and stops."""

from __future__ import annotations

import multiprocessing
import signal
from typing import TYPE_CHECKING

from rareflow.errors import RareflowError
from rareflow.tracking.store import prepare_store
from rareflow.workflows.interruption import stoppable
from rareflow.workflows.progress import listen
from rareflow.workflows.settings import limit_threads

if TYPE_CHECKING:
    from rareflow.tuning.objective import Objective
    from rareflow.workflows.post import Post

__all__ = ["work_in_processes"]

_PATIENCE_S = 30  # for a worker that is told to stop


def work_in_processes(post: Post, objective: Objective, *, jobs: int) -> None:
    """Work on a study in several processes until the target is reached.

    Whatever stops this process stops them: they are asked to end, so that each closes its trial.

    Parameters
    ----------
    post
        Where they work.
    objective
        Goes to each process once.
    jobs
        Processes, >= 2.
    """
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(post, objective)) for _ in range(jobs)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        _stop([worker for worker in workers if worker.is_alive()])


def _stop(workers: list[multiprocessing.context.SpawnProcess]) -> None:
    """Ask processes to end, and end those that do not."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(_PATIENCE_S)
        worker.kill()


def _worker(post: Post, objective: Objective) -> None:
    """Serve a post in a process of its own."""
    # Ctrl-C reaches the whole terminal: the parent alone heeds it and passes it on, once, as a termination.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listen()
    limit_threads(objective.n_threads)
    try:
        prepare_store(None, uri=post.uri)
        with stoppable():
            post.serve(post.open(objective.seed), objective)
    except KeyboardInterrupt:
        return
    except RareflowError as err:
        raise SystemExit(f"rareflow: {err}") from err
