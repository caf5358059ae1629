"""`rareflow worker`: one more process, on any machine, for a study that `rareflow tune` has opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rareflow.errors import ConfigError, StoreError
from rareflow.redaction import without_secrets
from rareflow.tracking.joining import join_store
from rareflow.tracking.leftovers import sweep_dead_runs
from rareflow.tracking.store import is_missing
from rareflow.tuning.study import find_study, finished
from rareflow.workflows.outcome import told
from rareflow.workflows.progress import say
from rareflow.workflows.settings import limit_threads
from rareflow.workflows.studying.briefing import Briefing
from rareflow.workflows.studying.launchers import work_in_processes
from rareflow.workflows.studying.post import Post
from rareflow.workflows.studying.task import Task

if TYPE_CHECKING:
    import optuna

__all__ = ["WorkerSettings", "run"]


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is told; the rest it learns from the study.

    Parameters
    ----------
    storage
        SQLAlchemy URL of Optuna's database.
    study_name
        The study; empty: the only one in the storage.
    data
        Where the table lies on this machine; empty: where it lay for `rareflow tune`.
    jobs
        Processes, >= 1.
    n_threads
        Threads of each process, >= 1.
    device
        ``auto``, ``cpu`` or ``cuda``.
    """

    storage: str = field(repr=False)
    study_name: str
    data: str
    jobs: int
    n_threads: int
    device: str


def run(how: WorkerSettings) -> str:
    """Work on a study until its target is reached; nothing is begun before data and stores have passed.

    Returns
    -------
    str
        How many trials the study holds, for the screen.

    Raises
    ------
    ConfigError
        If the table here is another one than the study's.
    StoreError
        If study or tracking store cannot be used from here, or the work was given up.
    """
    limit_threads(how.n_threads, jobs=how.jobs)
    if is_missing(how.storage):
        raise StoreError(
            f"there is no --storage {how.storage!r} here, so no study in it; `rareflow tune` makes it, and "
            "other machines need a database that all reach, such as postgresql+psycopg://host/name"
        )
    study = find_study(how.storage, how.study_name)
    briefing = Briefing.of(study, data=how.data, n_threads=how.n_threads, device=how.device)
    task = Task.read(briefing.settings, repeats=briefing.repeats, tune_rows=briefing.tune_rows)
    _check(study, task)
    uri = join_store(briefing.tracking, briefing.runs[-1])
    sweep_dead_runs()
    post = Post(how.storage, study.study_name, briefing.n_trials, uri, briefing.runs)
    say(
        f"Study {study.study_name}: {finished(study)} of {post.n_trials} trials done; joining run "
        f"{briefing.runs[-1]} in {without_secrets(uri)}"
    )
    if how.jobs == 1:
        post.serve(post.open(task.search.seed), task.search)
    else:
        work_in_processes(post, task.search, jobs=how.jobs)
    done = finished(study)
    if done < post.n_trials:
        raise StoreError(
            f"this worker gave up at {done} of {post.n_trials} trials of study {study.study_name!r}, after "
            "failures in a row; their runs in MLflow say why"
        )
    return told(f"Study {study.study_name} has all its trials: {done}.", briefing.runs[-1])


def _check(study: optuna.Study, task: Task) -> None:
    """Refuse a table, or a version of rareflow, whose scores would not compare with the study's."""
    facts, held = task.facts, study.user_attrs
    if facts["data_digest"] != held["data_digest"]:
        raise ConfigError(
            f"the table here is another one than that of study {study.study_name!r} (data digest "
            f"{facts['data_digest'][:12]}, there {held['data_digest'][:12]}); give with --data the file that "
            "`rareflow tune` read"
        )
    if facts["search_space"] != held["search_space"]:
        raise ConfigError(
            f"study {study.study_name!r} has the search space of another version of rareflow; install here "
            "the version that `rareflow tune` has there"
        )
