"""The search space, in one place: the generator's knobs, how it is sampled, the amount per class."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import BaseTrial, FixedTrial

from rareflow.evaluation.balance import CLASS_ROWS, default_class_rows, new_rows
from rareflow.generators.estimators import VAEWGANGP
from rareflow.generators.portable import SAMPLING_MODES, SNAPS

__all__ = [
    "CLASS_ROWS_CHOICES",
    "KNOBS",
    "Candidate",
    "default_candidate",
    "params_of",
    "space_key",
    "suggest",
]

CLASS_ROWS_CHOICES = (0, 200, CLASS_ROWS, 2_000, 7_000)
"""Rows that a class may be given, real and forged together; 0, or less than it has, leaves it alone.

The defaults' number is a further choice where it is another.
"""

KNOBS: dict[str, Callable[[BaseTrial, str], Any]] = {
    "latent_dim": lambda trial, name: trial.suggest_int(name, 4, 64, log=True),
    "lambda_gp": lambda trial, name: trial.suggest_float(name, 1.0, 30.0, log=True),
    "n_critic": lambda trial, name: trial.suggest_int(name, 1, 5),
    "kl_weight": lambda trial, name: trial.suggest_float(name, 0.01, 1.0, log=True),
    "learning_rate": lambda trial, name: trial.suggest_float(name, 3e-4, 3e-3, log=True),
    "hidden_dim": lambda trial, name: trial.suggest_categorical(name, [64, 128]),
    "steps": lambda trial, name: trial.suggest_int(name, 100, 400, step=100),
    "codec": lambda trial, name: trial.suggest_categorical(name, ["asinh", "quantile"]),
    # Not "prior", which scored 8 points less at 10 shots of CIC-IDS2017 (experiments/README.md).
    "sampling": lambda trial, name: trial.suggest_categorical(name, SAMPLING_MODES[1:]),
    "n_neighbors": lambda trial, name: trial.suggest_int(name, 1, 10),
    "noise": lambda trial, name: trial.suggest_float(name, 0.0, 1.0),
    "filter": lambda trial, name: trial.suggest_categorical(name, [False, True]),
    "snap": lambda trial, name: trial.suggest_categorical(name, SNAPS),
}
"""The tuned parameters of `rareflow.VAEWGANGP` and how a trial is asked for each."""

_PREFIX = "class_rows."
_REPORTS = "after each detector"


@dataclass(frozen=True)
class Candidate:
    """One thing to try.

    Parameters
    ----------
    generator
        Parameters of `rareflow.VAEWGANGP`; those not named are its defaults.
    class_rows
        Rows that a class is to have, real and forged together, by class. Empty: the table as it is (RAW).
    """

    generator: Mapping[str, Any] = field(default_factory=dict)
    class_rows: Mapping[str, int] = field(default_factory=dict)

    def is_raw(self, class_counts: Mapping[str, int]) -> bool:
        """Tell whether nothing is forged for a table of so many rows by class."""
        return not new_rows(class_counts, self.class_rows)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Candidate:
        """Read a candidate off a trial's parameters."""
        class_rows = {
            name.removeprefix(_PREFIX): value for name, value in params.items() if name.startswith(_PREFIX)
        }
        knobs = {name: value for name, value in params.items() if not name.startswith(_PREFIX)}
        return cls(knobs, class_rows)


def suggest(trial: BaseTrial, class_counts: Mapping[str, int]) -> Candidate:
    """Ask a trial for a candidate.

    Parameters
    ----------
    trial
        An Optuna trial.
    class_counts
        Rows of each class in the training part, the largest class first: that one is never grown.
    """
    for name, ask in KNOBS.items():
        ask(trial, name)
    choices = sorted({*CLASS_ROWS_CHOICES, default_class_rows(class_counts)})
    for label in list(class_counts)[1:]:
        trial.suggest_categorical(f"{_PREFIX}{label}", choices)
    return Candidate.from_params(trial.params)


def space_key(class_counts: Mapping[str, int]) -> str:
    """Give a short digest of what makes trials on a table belong together: space, and when they report."""
    trial = FixedTrial(params_of(default_candidate(class_counts)))
    suggest(trial, class_counts)
    return hashlib.sha256(repr((trial.distributions, _REPORTS)).encode()).hexdigest()[:10]


def default_candidate(class_counts: Mapping[str, int]) -> Candidate:
    """Give the defaults: the generator's own, and `default_class_rows` for each class but the largest."""
    own = VAEWGANGP().get_params()
    knobs = {name: own[name] for name in KNOBS} | {"sampling": "crossover"}
    return Candidate(knobs, dict.fromkeys(list(class_counts)[1:], default_class_rows(class_counts)))


def params_of(candidate: Candidate) -> dict[str, Any]:
    """Give a candidate as a trial's parameters, to be enqueued."""
    return {
        **candidate.generator,
        **{f"{_PREFIX}{label}": value for label, value in candidate.class_rows.items()},
    }
