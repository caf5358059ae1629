"""Trials as MLflow sees them: a child run each, with honest states, and a line for the user."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.exceptions import TrialPruned, UpdateFinishedTrialError
from optuna.trial import TrialState

from rareflow.errors import DivergedError
from rareflow.evaluation.metrics import mean_summary
from rareflow.tracking.leftovers import sweep_ended_children
from rareflow.tracking.runs import Run, child_run
from rareflow.tuning.marks import AS_IT_IS
from rareflow.tuning.study import finished
from rareflow.workflows.progress import Pace, duration, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import optuna

    from rareflow.generators.training import Step
    from rareflow.tuning.objective import Repeat

__all__ = ["Trials", "run_name"]


def run_name(number: int) -> str:
    """Give the name of a trial's run."""
    return f"trial-{number:04d}"


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

    def log_diverged(self, history: Sequence[Mapping[str, float]]) -> None:
        """Log the curve of a training that failed; that of the first split may be there and be well."""
        self._run.log_curve(
            [
                {key if key == "step" else f"diverged/{key}": value for key, value in step.items()}
                for step in history
            ]
        )

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
    runs, tracking_uri
        The study's runs, of which the last is the parent of new trials, and their store.
    study
        The study, for the best value so far.
    n_trials
        Trials wanted in all, for the time that is left.
    """

    def __init__(self, runs: Sequence[str], tracking_uri: str, study: optuna.Study, *, n_trials: int) -> None:
        self._runs, self._uri, self._study = runs, tracking_uri, study
        self._n_trials = n_trials
        self._seconds: list[float] = []
        self._pace = Pace()

    @contextmanager
    def trial(self, number: int, role: str, params: Mapping[str, Any]) -> Iterator[_TrialRun]:
        """Open a trial's run: pruned, stopped or taken over ends it as KILLED, an error as FAILED."""
        name, start = run_name(number), time.monotonic()
        shown = f"{name} ({role})" if role else name
        # A study that was interrupted has several parents; its trials are found by this tag.
        tags = {"study": self._study.study_name} | ({"rareflow.role": role} if role else {})
        with child_run(self._runs[-1], name, params=params, tags=tags, tracking_uri=self._uri) as run:
            log = _TrialRun(run, shown)
            try:
                yield log
            except TrialPruned as pruned:
                log.log_pruned()
                run.end("KILLED")
                self._tell(f"{shown}: pruned at macro F1 {pruned}", start)
                raise
            except UpdateFinishedTrialError:
                run.end("KILLED")
                say(f"{shown}: given up, because its heartbeat had stopped and another worker tries it again")
                raise
            except Exception as err:
                say(f"{shown}: FAILED ({err})")
                if isinstance(err, DivergedError):
                    log.log_diverged(err.history)
                raise
        self._tell(f"{shown}: val_macro_f1 {log.value:.4f}", start, log.value, role=role)

    def lost(self, number: int, host: str) -> None:
        """Close the run of a trial whose process, on whatever host, is heard of no more."""
        if sweep_ended_children(self._runs, {run_name(number)}, tracking_uri=self._uri):
            say(f"{run_name(number)}: its process on {host} is heard of no more; it is tried again")

    def waiting(self, running: Mapping[int, str]) -> None:
        """Say from time to time what is waited for."""
        if self._pace.due():
            whom = ", ".join(f"{run_name(number)} on {host}" for number, host in running.items())
            say(f"Waiting for {whom}")

    def _tell(self, result: str, start: float, *complete: float, role: str = "") -> None:
        """Tell a trial's result, the best one and the time left; the study does not hold this trial yet."""
        seconds = time.monotonic() - start
        if role != AS_IT_IS:  # which trains no generator: those to come take far longer
            self._seconds.append(seconds)
        trials = self._study.get_trials(deepcopy=False)
        # A pruned trial's value is the mean of a part of what the others' are means of.
        scored = [t.value for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
        best = max([*scored, *complete], default=np.nan)
        done = min(finished(self._study) + 1, self._n_trials)
        # Each trial that runs, this one among them, is a worker's, on whatever machine.
        workers = max(1, sum(t.state == TrialState.RUNNING for t in trials))
        mean = float(np.mean(self._seconds)) if self._seconds else 0.0
        left = (self._n_trials - done) * mean / workers
        ahead = f", about {duration(left)} left" if left else ""
        said = f"{result} in {duration(seconds)}; best so far {best:.4f}"
        say(f"{said}; {done} of {self._n_trials} done{ahead}")
