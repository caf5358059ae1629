"""The study: opened or resumed, worked on by one process or several, with RAW as its first trial."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from torch import OutOfMemoryError

from rareflow.databases import make_whole, sqlite_file
from rareflow.errors import DivergedError, StoreError
from rareflow.tuning.pruning import PrefixPruner
from rareflow.tuning.space import DEFAULT, RAW, Candidate, default_candidate, params_of, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rareflow.evaluation.metrics import Scores
    from rareflow.generators.training import Step
    from rareflow.tuning.objective import Objective, Repeat

__all__ = [
    "Observer",
    "TrialLog",
    "enqueue_references",
    "experimental",
    "finished",
    "open_storage",
    "open_study",
    "work",
]

_HEARTBEAT_S, _GRACE_S, _RETRIES = 30, 120, 3
_STARTUP_TRIALS = 8  # drawn at random before the sampler learns; RAW and the defaults count among them
_PATIENCE = 5  # failures in a row
_ENGINE = {"connect_args": {"timeout": 60}}  # seconds that a process waits while another one writes
_ROLE = "role"
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)
_OWN_FAULT = (DivergedError, MemoryError, OutOfMemoryError)


class TrialLog(Protocol):
    """What a trial tells while it runs."""

    def on_step(self, repeat: int, step: Step) -> None:
        """Hear of a generator step of one repeat (from 0)."""

    def on_score(self, scored: int, mean: float) -> None:
        """Hear of the mean macro-F1 of the first so many scores, counted over the repeats, from 1."""

    def on_repeat(self, repeat: int, found: Repeat) -> None:
        """Hear of a finished repeat (from 0)."""


class Observer(Protocol):
    """Who is told of trials; the study neither logs nor prints."""

    def trial(self, number: int, role: str, params: Mapping[str, Any]) -> AbstractContextManager[TrialLog]:
        """Open a trial's log; it sees the exception that ends a pruned, failed or interrupted trial."""


def open_study(storage: str, name: str, *, seed: int) -> optuna.Study:
    """Open a named study, or make it; trials that a dead process left behind are failed and queued anew.

    Optuna's messages below an error are silenced: the observer hears of every trial.

    Parameters
    ----------
    storage
        SQLAlchemy URL of Optuna's own database.
    name
        The study's name.
    seed
        Seed of the sampler, >= 0.

    Raises
    ------
    StoreError
        If the storage cannot be opened or written; its password is not shown.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _refusals(storage), experimental():
        study = optuna.create_study(
            storage=open_storage(storage),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
        )
        optuna.storages.fail_stale_trials(study)
        # A resumed study must not draw again what it drew before, nor a process what another one draws.
        drawn = len(study.get_trials(deepcopy=False))
        # In groups, because RAW has no parameters: the space that all trials share is empty.
        study.sampler = optuna.samplers.TPESampler(
            seed=int(np.random.SeedSequence([seed, drawn]).generate_state(1)[0]),
            n_startup_trials=_STARTUP_TRIALS,
            group=True,
        )
    return study


@contextmanager
def experimental() -> Iterator[None]:
    """Use what Optuna calls experimental without its warning: groups, recovery, PNG plots need it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def open_storage(storage: str) -> optuna.storages.RDBStorage:
    """Open Optuna's database with heartbeats; parameters and errors are those of `open_study`."""
    with _refusals(storage), experimental():
        make_whole(storage, _make_tables)
        return optuna.storages.RDBStorage(
            storage,
            engine_kwargs=_ENGINE if sqlite_file(storage) else {},
            heartbeat_interval=_HEARTBEAT_S,
            grace_period=_GRACE_S,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(_RETRIES),
        )


def _make_tables(storage: str) -> None:
    """Make Optuna's tables in a database that nobody else knows yet."""
    made = optuna.storages.RDBStorage(storage)
    made.remove_session()
    made.engine.dispose()


@contextmanager
def _refusals(storage: str) -> Iterator[None]:
    """Say in one line why a database is refused, without its password."""
    shown = _shown(storage)
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, ImportError, OSError, RuntimeError) as err:
        # A cause may quote the address, so it is kept only where that holds no secret.
        raise StoreError(
            f"the study's storage {shown!r} {_problem(err)}, or give another --storage such as sqlite:///optuna.db"
        ) from (err if shown == storage else None)


def _shown(storage: str) -> str:
    """Give the address fit for the screen: no password, no query."""
    try:
        url = make_url(storage)
    except (SQLAlchemyError, ValueError):  # a ValueError is about the port; both may quote half a password
        raise StoreError(
            "--storage is no database's address; write it as sqlite:///optuna.db or "
            "dialect://user:password@host:port/name, other characters in the password as %40 and the like"
        ) from None
    shown = url.set(query={}).render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise StoreError(
            f"--storage {shown!r} would keep the study in memory, where no other process sees it and none "
            "can resume it; give a file such as sqlite:///optuna.db"
        )
    return shown


def _problem(err: Exception) -> str:
    """Say what is wrong with the storage and what mends it."""
    if isinstance(err, ImportError):
        missing = getattr(err.__cause__, "name", None) or err.name
        return f"needs the Python package {missing!r}; install it"
    if isinstance(err, RuntimeError):
        return (
            f"is a database of another program, or of another Optuna than {optuna.__version__}; "
            "run `optuna storage upgrade` on it"
        )
    if isinstance(err, StorageInternalError):  # Optuna's word for any refused commit
        err = err.__cause__ if isinstance(err.__cause__, SQLAlchemyError) else err
    reason = str(getattr(err, "orig", None) or err).partition("\n")[0]
    return f"cannot be used ({reason}); see that its folder exists and can be written, or its server is up"


def finished(study: optuna.Study) -> int:
    """Count the trials that count towards the target: complete or pruned."""
    return len(study.get_trials(deepcopy=False, states=_DONE))


def enqueue_references(study: optuna.Study, class_counts: Mapping[str, int]) -> None:
    """Queue RAW and the defaults, first of all trials, unless they are done, running or queued."""
    live = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)
    present = {trial.user_attrs.get(_ROLE) for trial in study.get_trials(deepcopy=False, states=live)}
    if RAW not in present:
        study.enqueue_trial({}, user_attrs={_ROLE: RAW})
    if DEFAULT not in present:
        study.enqueue_trial(params_of(default_candidate(class_counts)), user_attrs={_ROLE: DEFAULT})


def work(study: optuna.Study, objective: Objective, n_trials: int, observer: Observer) -> None:
    """Work on a study until it holds `n_trials` finished trials; several processes may do so at once.

    Each process ends the trial it is in, so that n of them may exceed the target by n - 1. A trial that fails
    by its own fault (a diverged training, no memory) is FAILED and the study goes on, unless five in a row
    say that the fault is not the trial's. Any other exception passes through.
    """
    if finished(study) >= n_trials:
        return
    failures: list[int] = []
    study.pruner = PrefixPruner(len(objective.detectors))

    def run(trial: optuna.Trial) -> float:
        return _run(trial, objective, observer)

    def stop(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.state == TrialState.FAIL:
            failures.append(trial.number)
        else:
            failures.clear()
        if finished(study) >= n_trials or len(failures) >= _PATIENCE:
            study.stop()

    study.optimize(run, callbacks=[stop], catch=_OWN_FAULT)


def _run(trial: optuna.Trial, objective: Objective, observer: Observer) -> float:
    """Score one trial and report after each detector; RAW and the defaults run to the end."""
    role = trial.user_attrs.get(_ROLE, "")
    candidate = Candidate() if role == RAW else suggest(trial, objective.table.class_counts)
    scored: list[float] = []
    values: list[float] = []

    def check() -> None:
        if not role and trial.should_prune():
            raise optuna.TrialPruned(f"{np.mean(scored):.4f} after {len(scored)} scores")

    with observer.trial(trial.number, role, trial.params) as log:

        def on_score(scores: Scores) -> None:
            scored.append(scores.macro_f1)
            trial.report(float(np.mean(scored)), len(scored) - 1)
            log.on_score(len(scored), float(np.mean(scored)))
            if len(scored) % len(objective.detectors):
                check()

        repeats = objective.repeats(
            candidate, on_step=lambda step: log.on_step(len(values), step), on_score=on_score
        )
        for i, found in enumerate(repeats):
            values.append(found.value)
            log.on_repeat(i, found)
            if i + 1 < len(objective.splits):
                check()
    return float(np.mean(values))
