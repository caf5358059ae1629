"""The study: opened or resumed, worked on by one process or several, with RAW as its first trial."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import optuna
from optuna.trial import TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from rareflow.errors import RareflowError, StoreError
from rareflow.tuning.space import DEFAULT, RAW, Candidate, default_candidate, params_of, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rareflow.generators.training import Step
    from rareflow.tuning.objective import Objective, Repeat

__all__ = ["Observer", "TrialLog", "candidate_of", "enqueue_references", "experimental", "finished", "open_storage", "open_study", "work"]

_HEARTBEAT_S, _GRACE_S, _RETRIES = 30, 120, 3
_STARTUP_TRIALS = 8
_ROLE = "role"
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)


class TrialLog(Protocol):
    """What a trial tells while it runs."""

    def on_step(self, repeat: int, step: Step) -> None:
        """Hear of a generator step of one repeat (from 0)."""

    def on_repeat(self, repeat: int, found: Repeat) -> None:
        """Hear of a finished repeat (from 0)."""


class Observer(Protocol):
    """Who is told of trials; the study neither logs nor prints."""

    def trial(self, number: int, role: str, params: Mapping[str, Any]) -> AbstractContextManager[TrialLog]:
        """Open a trial's log; it sees the exception that ends a pruned, failed or interrupted trial."""


def open_study(storage: str, name: str, *, seed: int) -> optuna.Study:
    """Open a named study, or make it; trials that a dead process left behind are failed and queued anew.

    Parameters
    ----------
    storage
        SQLAlchemy URL of Optuna's own database.
    name
        The study's name.
    seed
        Seed of the sampler.

    Raises
    ------
    StoreError
        If the storage cannot be opened; its password is not shown.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=open_storage(storage),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )
    with experimental():
        optuna.storages.fail_stale_trials(study)
    # A resumed study must not draw again what it drew before.
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + len(study.get_trials(deepcopy=False)),
        n_startup_trials=_STARTUP_TRIALS,
        constant_liar=True,
    )
    return study


@contextmanager
def experimental() -> Iterator[None]:
    """Use what Optuna calls experimental without its warning: recovery and PNG plots have no other door."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def open_storage(storage: str) -> optuna.storages.RDBStorage:
    """Open Optuna's database with heartbeats; see `open_study`."""
    try:
        with experimental():
            return optuna.storages.RDBStorage(
                storage,
                heartbeat_interval=_HEARTBEAT_S,
                grace_period=_GRACE_S,
                heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(_RETRIES),
            )
    except (SQLAlchemyError, ImportError, OSError) as err:
        raise StoreError(
            f"the study's storage {_shown(storage)} cannot be opened ({type(err).__name__}); check that its folder "
            "can be written, its server is up and its driver installed, or give another --storage"
        ) from err


def _shown(storage: str) -> str:
    try:
        return make_url(storage).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "given (it is no SQLAlchemy URL such as sqlite:///optuna.db)"


def finished(study: optuna.Study) -> int:
    """Count the trials that count towards the target: complete or pruned."""
    return len(study.get_trials(deepcopy=False, states=_DONE))


def candidate_of(trial: optuna.trial.FrozenTrial) -> Candidate:
    """Give what a finished trial tried."""
    return Candidate() if trial.user_attrs.get(_ROLE) == RAW else Candidate.from_params(trial.params)


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

    A trial that fails by its own fault (a diverged training, no memory) is FAILED and the study goes on; as
    many failures as trials wanted end it.

    Raises
    ------
    StoreError
        If every trial fails.
    """
    if finished(study) >= n_trials:
        return

    def run(trial: optuna.Trial) -> float:
        return _run(trial, objective, observer)

    def stop(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
        failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        if finished(study) >= n_trials or len(failed) >= max(n_trials, _RETRIES):
            study.stop()

    study.optimize(run, callbacks=[stop], catch=(RareflowError, MemoryError))


def _run(trial: optuna.Trial, objective: Objective, observer: Observer) -> float:
    """Score one trial split by split, reporting the running mean after each."""
    role = trial.user_attrs.get(_ROLE, "")
    candidate = Candidate() if role == RAW else suggest(trial, objective.table.class_counts)
    values: list[float] = []
    with observer.trial(trial.number, role, trial.params) as log:
        for i, found in enumerate(objective.repeats(candidate, on_step=lambda step: log.on_step(len(values), step))):
            values.append(found.value)
            trial.report(float(np.mean(values)), i)
            log.on_repeat(i, found)
            if not role and i + 1 < len(objective.splits) and trial.should_prune():
                raise optuna.TrialPruned(f"running mean {np.mean(values):.4f} below the median after split {i + 1}")
    return float(np.mean(values))
