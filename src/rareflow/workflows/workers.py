"""The trials of a study and its finalists, worked on here or in processes of their own."""

from __future__ import annotations

import multiprocessing
import signal
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rareflow.errors import RareflowError
from rareflow.tracking.store import prepare_store
from rareflow.tuning.study import open_study, work
from rareflow.workflows.interruption import stoppable
from rareflow.workflows.processes import in_processes
from rareflow.workflows.progress import listen
from rareflow.workflows.settings import limit_threads
from rareflow.workflows.trials import Trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from rareflow.tuning.objective import Objective
    from rareflow.tuning.space import Candidate

__all__ = ["means_in_processes", "work_here", "work_in_processes"]

_PATIENCE_S = 30  # for a worker that is told to stop


def work_here(study: optuna.Study, objective: Objective, n_trials: int, *, parent_id: str, uri: str) -> None:
    """Work on a study in this process until it holds so many finished trials."""
    work(study, objective, n_trials, Trials(parent_id, uri, study, n_trials=n_trials, jobs=1))


def work_in_processes(
    storage: str, name: str, objective: Objective, n_trials: int, *, jobs: int, parent_id: str, uri: str
) -> None:
    """Work on a study in several processes; each draws with a seed of its own.

    Whatever stops this process stops them: they are asked to end, so that each closes its trial.

    Parameters
    ----------
    storage, name
        The study, which exists already.
    objective
        Goes to each process once.
    n_trials
        Finished trials wanted in all.
    jobs
        Processes, >= 2.
    parent_id, uri
        The study's run and its tracking store, which exist already.
    """
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_worker, args=(storage, name, i, objective, n_trials, jobs, parent_id, uri))
        for i in range(jobs)
    ]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        _stop([worker for worker in workers if worker.is_alive()])


def means_in_processes(objective: Objective, candidates: Sequence[Candidate], *, jobs: int) -> list[float]:
    """Give what `Objective.mean` gives for each candidate, to the last bit; processes share out the splits.

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
    found = in_processes(
        range(len(tasks)), partial(_value, objective, tasks), jobs=jobs, n_threads=objective.n_threads,
        name=lambda task: f"fresh split {tasks[task][1] + 1}",
    )  # fmt: skip
    values = [value for _, value in sorted(found)]
    return [float(np.mean(part)) for part in np.reshape(values, (len(candidates), len(splits)))]


def _value(objective: Objective, tasks: Sequence[tuple[Candidate, int]], task: int) -> float:
    """Score a candidate on a split."""
    return objective.repeat(*tasks[task]).value


def _stop(workers: list[multiprocessing.context.SpawnProcess]) -> None:
    """Ask processes to end, and end those that do not."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(_PATIENCE_S)
        worker.kill()


def _worker(
    storage: str,
    name: str,
    number: int,
    objective: Objective,
    n_trials: int,
    jobs: int,
    parent_id: str,
    uri: str,
) -> None:
    """Work on a study in a process of its own."""
    # Ctrl-C reaches the whole terminal: the parent alone heeds it and passes it on, once, as a termination.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listen()
    limit_threads(objective.n_threads)
    try:
        prepare_store(None, uri=uri)
        study = open_study(storage, name, seed=objective.seed + number)
        with stoppable():
            work(study, objective, n_trials, Trials(parent_id, uri, study, n_trials=n_trials, jobs=jobs))
    except KeyboardInterrupt:
        return
    except RareflowError as err:
        raise SystemExit(f"rareflow: {err}") from err
