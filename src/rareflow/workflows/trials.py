"""Trials as MLflow sees them: a child run each, with honest states, and a line for the user."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna

from rareflow.evaluation.metrics import mean_summary
from rareflow.tracking.runs import Run, child_run
from rareflow.tuning.study import finished
from rareflow.workflows.progress import Pace, duration, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rareflow.generators.training import Step
    from rareflow.tuning.objective import Repeat

__all__ = ["Trials"]


class _TrialRun:
    """What one trial writes to its run as it goes."""

    def __init__(self, run: Run, name: str) -> None:
        self._run, self._name, self._pace = run, name, Pace()
        self._repeats: list[Repeat] = []
        self._mean = (0, np.nan)

    @property
    def value(self) -> float:
        """Mean macro-F1 so far, 0..1."""
        return float(np.mean([each.value for each in self._repeats]))

    def on_step(self, repeat: int, step: Step) -> None:
        if self._pace.due():
            say(f"{self._name}: split {repeat + 1}, generator step {step.step}")

    def on_score(self, scored: int, mean: float) -> None:
        self._mean = scored, mean

    def log_pruned(self) -> None:
        """Log what the pruner saw: it may have come before the first repeat was done."""
        scored, mean = self._mean
        self._run.log_metrics({"pruned_macro_f1": mean}, step=scored)

    def on_repeat(self, repeat: int, found: Repeat) -> None:
        self._repeats.append(found)
        metrics = {"split_macro_f1": found.value, "split_seconds": found.seconds, "val_macro_f1": self.value}
        for detector in found.scores:
            mean = mean_summary([each.scores[detector] for each in self._repeats])
            metrics |= {f"val/{detector}/{key}": value for key, value in mean.items()}
        self._run.log_metrics(metrics, step=repeat)
        if self._pace.due():
            say(f"{self._name}: split {repeat + 1} scored, macro F1 {found.value:.4f}")
        if repeat == 0 and found.generator is not None:
            self._run.log_curve([asdict(step) for step in found.generator.history_])
            with TemporaryDirectory() as folder:
                self._run.log_folder(found.generator.generator_.save(folder), "generator")


class Trials:
    """The observer of a study: opens a child run for each trial and tells its result.

    Parameters
    ----------
    parent_id, tracking_uri
        The study's run and its store.
    study
        The study, for the best value so far.
    n_trials, jobs
        Trials wanted in all and the processes that share them, for the time that is left.
    """

    def __init__(
        self, parent_id: str, tracking_uri: str, study: optuna.Study, *, n_trials: int, jobs: int
    ) -> None:
        self._parent, self._uri, self._study = parent_id, tracking_uri, study
        self._n_trials, self._jobs = n_trials, jobs
        self._seconds: list[float] = []

    @contextmanager
    def trial(self, number: int, role: str, params: Mapping[str, Any]) -> Iterator[_TrialRun]:
        """Open a trial's run: pruned or stopped ends it as KILLED, an error as FAILED."""
        name, start = f"trial-{number:04d}", time.monotonic()
        shown = f"{name} ({role})" if role else name
        tags = {"rareflow.role": role} if role else {}
        with child_run(self._parent, name, params=params, tags=tags, tracking_uri=self._uri) as run:
            log = _TrialRun(run, shown)
            try:
                yield log
            except optuna.TrialPruned as pruned:
                log.log_pruned()
                run.end("KILLED")
                self._tell(f"{shown}: pruned at macro F1 {pruned}", start)
                raise
            except Exception as err:
                say(f"{shown}: FAILED ({err})")
                raise
        self._tell(f"{shown}: val_macro_f1 {log.value:.4f}", start, log.value)

    def _tell(self, result: str, start: float, *complete: float) -> None:
        """Tell a trial's result, the best one and the time left; the study does not hold this trial yet."""
        self._seconds.append(time.monotonic() - start)
        values = [t.value for t in self._study.get_trials(deepcopy=False) if t.value is not None]
        best = max([*values, *complete], default=np.nan)
        done = min(finished(self._study) + 1, self._n_trials)
        left = (self._n_trials - done) * float(np.mean(self._seconds)) / self._jobs
        ahead = f", about {duration(left)} left" if left else ""
        took = duration(self._seconds[-1])
        say(f"{result} in {took}; best so far {best:.4f}; {done} of {self._n_trials} done{ahead}")
