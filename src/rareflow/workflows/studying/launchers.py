"""The processes of this machine that share a study's trials, and its finalists' splits."""

from __future__ import annotations

from functools import partial
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from rareflow.errors import RareflowError, is_stop
from rareflow.tracking.store import use_store
from rareflow.workflows.interruption import stoppable
from rareflow.workflows.processes import computed, workers
from rareflow.workflows.progress import say
from rareflow.workflows.settings import limit_threads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from rareflow.tuning.objective import Objective
    from rareflow.tuning.space import Candidate
    from rareflow.workflows.studying.post import Post

__all__ = ["values_in_processes", "work_in_processes"]

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
    with workers(partial(_work, post, objective), jobs, _PATIENCE_S) as started:
        running: dict[Any, SpawnProcess] = {each.process.sentinel: each.process for each in started}
        while running:
            for ended in wait(running):
                process = running.pop(ended)
                process.join()
                if (code := process.exitcode or 0) < 0:
                    say(
                        f"A worker was killed by signal {-code}, perhaps for want of memory, of which fewer "
                        f"--jobs need less; others that go on: {len(running)}"
                    )


def values_in_processes(
    objective: Objective, candidates: Sequence[Candidate], *, jobs: int
) -> list[list[float]]:
    """Give what `Objective.values` gives for each candidate, to the last bit; processes share out the splits.

    Parameters
    ----------
    objective
        Goes to each process once.
    candidates
        What to score.
    jobs
        Processes at most, >= 1.
    """
    splits = range(len(objective.splits))
    tasks = [(candidate, split) for candidate in candidates for split in splits]
    found = computed(
        range(len(tasks)), partial(_value, objective, tasks), jobs=jobs, n_threads=objective.n_threads,
        name=lambda task: f"fresh split {tasks[task][1] + 1}",
    )  # fmt: skip
    values = [value for _, value in sorted(found)]
    return [values[start : start + len(splits)] for start in range(0, len(values), len(splits))]


def _value(objective: Objective, tasks: Sequence[tuple[Candidate, int]], task: int) -> float:
    """Score a candidate on a split."""
    return objective.repeat(*tasks[task])


def _work(post: Post, objective: Objective, _: Connection) -> None:
    """Serve a post in a process of its own, which hears of Ctrl-C from its parent, once, as a termination."""
    limit_threads(objective.n_threads)
    try:
        use_store(post.uri)
        with stoppable():
            post.serve(post.open(objective.seed), objective)
    except (KeyboardInterrupt, Exception) as err:
        if is_stop(err):  # of whatever kind the error is that a library made of it
            return
        if isinstance(err, RareflowError):
            raise SystemExit(f"rareflow: {err}") from err
        raise
