"""A worker's post: its study and where that is tracked. Every worker serves one, wherever it runs."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from rareflow.identity import here
from rareflow.tracking.leftovers import sweep_ended_children
from rareflow.tuning.marks import DONE
from rareflow.tuning.storage import refusals
from rareflow.tuning.study import open_study
from rareflow.tuning.work import settle, work
from rareflow.workflows.studying.trials import Trials, run_name

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import optuna

    from rareflow.tuning.objective import Objective

__all__ = ["Post"]

_REFUSED = (SQLAlchemyError, StorageInternalError)  # the latter: a commit, of a database locked for too long


@dataclass(frozen=True)
class Post:
    """The study, its runs and its target: all that a worker needs beside the objective.

    Parameters
    ----------
    storage
        SQLAlchemy URL of Optuna's database; it may hold a password and is not shown.
    study_name
        The study, which exists.
    n_trials
        Finished trials wanted in all.
    uri
        The tracking store, which exists; it may hold a password and is not shown.
    runs
        The study's runs, one a session; trials become children of the last.
    """

    storage: str = field(repr=False)
    study_name: str
    n_trials: int
    uri: str = field(repr=False)
    runs: tuple[str, ...]

    def open(self, seed: int) -> optuna.Study:
        """Open the study for this process, which draws what no other draws that joins at the same moment."""
        host, number, birth = here()
        seat = zlib.crc32(f"{host} {birth}".encode()), number
        return open_study(self.storage, self.study_name, seed=seed, seat=seat)

    def refusals(self) -> AbstractContextManager[None]:
        """Say in one line why the study's storage fails in the middle of the work, without its password."""
        return refusals(self.storage, _REFUSED)

    def serve(self, study: optuna.Study, objective: Objective) -> None:
        """Work until the target is reached, by whomever."""
        with self.refusals():
            work(study, objective, self.n_trials, self._trials(study))

    def settle(self, study: optuna.Study) -> None:
        """Wait for the trials that other workers are still in."""
        settle(study, self._trials(study))

    def sweep(self, study: optuna.Study) -> None:
        """Close the runs of trials that have ended without their worker."""
        ended = study.get_trials(deepcopy=False, states=(*DONE, TrialState.FAIL))
        sweep_ended_children(self.runs, {run_name(trial.number) for trial in ended}, tracking_uri=self.uri)

    def _trials(self, study: optuna.Study) -> Trials:
        return Trials(self.runs, self.uri, study, n_trials=self.n_trials)
