"""One generator, fitted on a training part with progress told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rareflow.generators.estimators import VAEWGANGP
from rareflow.workflows.progress import Pace, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rareflow.data.table import Table
    from rareflow.generators.checkpoint import Checkpoint
    from rareflow.generators.training import Step

__all__ = ["fit_generator"]


def fit_generator(
    train: Table, params: Mapping[str, Any], *, seed: int, device: str, checkpoint: Checkpoint | None = None
) -> VAEWGANGP:
    """Fit a generator on a training part, telling of the progress.

    Its tables have the label column where the training table has it.
    """
    estimator = VAEWGANGP(**params, device=device, random_state=seed)
    pace, done = Pace(), 0

    def tell(step: Step) -> None:
        nonlocal done
        if step.step > done + 1:
            say(f"Going on at step {step.step} of a training that was stopped")
        done = step.step
        if pace.due():
            say(f"Training the generator: step {step.step} of {estimator.steps}")

    estimator.fit(train.X, train.y, on_step=tell, checkpoint=checkpoint)
    estimator.generator_.spec["label"]["position"] = train.frame.columns.get_loc(train.label)
    return estimator
