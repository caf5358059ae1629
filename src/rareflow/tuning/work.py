"""The work on a study, which any number of processes on any number of machines share through its storage.

A trial bears the host, the number and the birth of its process. A process begins a trial only while those
that run cannot reach the target, so the target is exceeded only by processes that begin at the same moment;
and one that has nothing to begin waits, because a trial that runs may yet fail, so the target is not missed
either.
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from rareflow.errors import DivergedError, lacks_memory
from rareflow.identity import here, is_gone
from rareflow.tuning.marks import AS_IT_IS, DONE, FAULT, OWNER, ROLE
from rareflow.tuning.pruning import PrefixPruner
from rareflow.tuning.space import Candidate, suggest
from rareflow.tuning.storage import experimental, queue_anew
from rareflow.tuning.study import enqueue_references

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from rareflow.evaluation.metrics import Scores
    from rareflow.generators.training import Step
    from rareflow.tuning.objective import Objective, Repeat

__all__ = ["Observer", "TrialLog", "fail_lost", "settle", "work"]

_PATIENCE = 5  # failures in a row
_POLL_S = 2.0  # between two looks at the trials of others
_OWN_FAULT = (DivergedError, MemoryError)


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

    def lost(self, number: int, host: str) -> None:
        """Hear that the process of a running trial is heard of no more: nobody will close its log."""

    def waiting(self, running: Mapping[int, str]) -> None:
        """Hear, again and again, of the trials that are waited for, and their hosts."""


def work(study: optuna.Study, objective: Objective, n_trials: int, observer: Observer) -> None:
    """Work on a study until it holds `n_trials` finished trials, whoever finishes them.

    A trial that fails by its own fault (a diverged training, no memory) is FAILED and the study goes on,
    unless five in a row say that the fault is not the trial's. A trial that another process took for dead is
    left to whoever has it now. Any other exception passes through.
    """
    failures = 0
    study.pruner = PrefixPruner(len(objective.detectors))
    while failures < _PATIENCE:
        fail_lost(study, observer)
        trials = study.get_trials(deepcopy=False)
        running = _owned(trials)
        missing = n_trials - sum(trial.state in DONE for trial in trials)
        if missing <= 0:
            return
        if missing <= len(running):
            _wait(running, observer)
        else:
            failures = failures + 1 if _next(study, objective, observer) == TrialState.FAIL else 0


def settle(study: optuna.Study, observer: Observer) -> None:
    """Wait until every trial that runs now has ended, so that nothing better comes after the choice."""
    begun = set(_owned(study.get_trials(deepcopy=False)))
    while True:
        fail_lost(study, observer)
        running = _owned(study.get_trials(deepcopy=False))
        if not begun & running.keys():
            return
        _wait({number: running[number] for number in begun & running.keys()}, observer)


def fail_lost(study: optuna.Study, observer: Observer) -> None:
    """Fail the trials whose process is heard of no more, and queue them anew.

    One of this host and boot is asked after; another is given up when its heartbeat has stopped for long.
    """
    before = study.get_trials(states=(TrialState.RUNNING,))
    with experimental():
        optuna.storages.fail_stale_trials(study)
    for trial in before:
        if OWNER in trial.user_attrs and is_gone(*trial.user_attrs[OWNER]):
            _give_up(study, trial)
    after = {trial.number: trial.state for trial in study.get_trials(deepcopy=False)}
    for trial in before:
        if after[trial.number] == TrialState.FAIL:
            observer.lost(trial.number, trial.user_attrs.get(OWNER, ("an unknown host",))[0])


def _give_up(study: optuna.Study, trial: FrozenTrial) -> None:
    """Fail a trial and queue it anew, unless another process was faster."""
    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, UpdateFinishedTrialError):
        return
    queue_anew(study, copy.deepcopy(trial))


def _owned(trials: Sequence[FrozenTrial]) -> dict[int, str]:
    """Give the hosts of the trials that run; one that no process has put its name to may have none."""
    return {
        trial.number: trial.user_attrs[OWNER][0]
        for trial in trials
        if trial.state == TrialState.RUNNING and OWNER in trial.user_attrs
    }


def _wait(running: Mapping[int, str], observer: Observer) -> None:
    observer.waiting(running)
    time.sleep(_POLL_S)


def _next(study: optuna.Study, objective: Objective, observer: Observer) -> TrialState:
    """Run one trial and give its state; RUNNING where another process took it over."""
    states = []
    run = _Run(objective, observer)
    try:
        # One at a time: heartbeats come with `optimize` only.
        study.optimize(
            run, n_trials=1, catch=_OWN_FAULT, callbacks=[lambda _, trial: states.append(trial.state)]
        )
    except KeyboardInterrupt:
        # Others go on: if it was a reference that was stopped, it is theirs now.
        enqueue_references(study, objective.table.class_counts)
        raise
    except AssertionError as err:
        if isinstance(err.__context__, StorageInternalError):  # Optuna's finding that the trial did not end
            raise err.__context__ from err.__context__.__cause__
        raise
    except Exception:
        if not run.taken:
            raise
        return TrialState.RUNNING
    return states[0]


class _Run:
    """Score one trial, and notice if another process took it for dead meanwhile."""

    def __init__(self, objective: Objective, observer: Observer) -> None:
        self._objective, self._observer = objective, observer
        self.taken = False

    def __call__(self, trial: optuna.Trial) -> float:
        try:
            trial.set_user_attr(OWNER, here())
            return self._score(trial)
        except UpdateFinishedTrialError:
            self.taken = True
            raise
        except DivergedError:
            trial.set_user_attr(FAULT, DivergedError.__name__)
            raise
        except Exception as err:
            if not lacks_memory(err):
                raise
            trial.set_user_attr(FAULT, MemoryError.__name__)
            raise MemoryError(str(err)) from err

    def _score(self, trial: optuna.Trial) -> float:
        """Score one trial and report after each detector; RAW and the defaults run to the end."""
        objective, role = self._objective, trial.user_attrs.get(ROLE, "")
        candidate = Candidate() if role == AS_IT_IS else suggest(trial, objective.table.class_counts)
        n_scores = len(objective.splits) * len(objective.detectors)
        scored: list[float] = []
        values: list[float] = []

        def check() -> None:
            if not role and trial.should_prune():
                raise optuna.TrialPruned(f"{np.mean(scored):.4f} after {len(scored)} of {n_scores} scores")

        with self._observer.trial(trial.number, role, trial.params) as log:

            def on_score(scores: Scores) -> None:
                scored.append(scores.macro_f1)
                trial.report(float(np.mean(scored)), len(scored) - 1)
                log.on_score(len(scored), float(np.mean(scored)))
                if len(scored) % len(objective.detectors):
                    check()

            repeats = objective.repeats(candidate, on_step=log.on_step, on_score=on_score)
            for i, found in enumerate(repeats):
                values.append(found.value)
                log.on_repeat(i, found)
                if i + 1 < len(objective.splits):
                    check()
        return float(np.mean(values))
