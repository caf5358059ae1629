"""One generator, fitted on a training part with progress told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rareflow.generators.estimators import VAEWGANGP
from rareflow.workflows.progress import Pace, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rareflow.data.table import Table
    from rareflow.generators.training import Step

__all__ = ["fit_generator", "step_teller"]


def step_teller(what: str, steps: int) -> Callable[[Step], None]:
    """Give a listener that tells every ten seconds how far a training is."""
    pace = Pace()

    def tell(step: Step) -> None:
        if pace.due():
            say(f"{what}: step {step.step} of {steps}")

    return tell


def fit_generator(train: Table, params: Mapping[str, Any], *, seed: int, device: str) -> VAEWGANGP:
    """Fit a generator on a training part; its tables have the label column where the training table has it."""
    estimator = VAEWGANGP(**params, device=device, random_state=seed)
    estimator.fit(train.X, train.y, on_step=step_teller("training the generator", estimator.steps))
    estimator.generator_.spec["label"]["position"] = train.frame.columns.get_loc(train.label)
    return estimator
