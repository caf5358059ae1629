"""`rareflow train`: one generator with given parameters, scored before and after, logged as a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rareflow.errors import DivergedError
from rareflow.evaluation.balance import default_class_rows
from rareflow.evaluation.comparison import text_table
from rareflow.evaluation.plots import loss_curves_figure
from rareflow.generators.checkpoint import Checkpoint
from rareflow.generators.estimators import VAEWGANGP
from rareflow.tracking.leftovers import sweep_dead_runs
from rareflow.tracking.registry import log_or_keep_generator
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store
from rareflow.workflows.fitting import fit_generator
from rareflow.workflows.outcome import augment_command, told
from rareflow.workflows.quality import log_quality
from rareflow.workflows.scoring import log_data, score
from rareflow.workflows.settings import Settings, limit_threads

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["run"]


def run(
    settings: Settings, params: Mapping[str, Any], *, class_rows: int | None, checkpoint_every: int = 0
) -> str:
    """Train on the training part, score on the test part, log; give the scores for the screen.

    Parameters
    ----------
    settings
        Data, split, seed and tracking.
    params
        Parameters of `rareflow.VAEWGANGP`.
    class_rows
        Rows that each class is to have, real and forged together, >= 0; ``None``: `default_class_rows`.
    checkpoint_every
        Generator steps from one checkpoint, in the current folder, to the next; 0: none.
    """
    limit_threads(settings.n_threads)
    VAEWGANGP(**params).check_params()
    settings.check_trainable()
    train, test = settings.parts
    if class_rows is None:
        class_rows = default_class_rows(train.class_counts)
    by_class = dict.fromkeys(train.class_counts, class_rows)
    prepare_store(settings.experiment)
    sweep_dead_runs()
    with parent_run(
        f"train {settings.source.table.name}",
        params=settings.params
        | dict(params)
        | {"class_rows": class_rows, "checkpoint_every": checkpoint_every},
        tags=settings.tags,
    ) as run_:
        log_data(run_, settings)
        try:
            generator = fit_generator(
                train,
                params,
                seed=settings.seed,
                device=settings.device,
                checkpoint=Checkpoint(Path(), checkpoint_every) if checkpoint_every else None,
            )
        except DivergedError as err:
            run_.log_curve(err.history)
            raise
        history = [asdict(step) for step in generator.history_]
        run_.log_curve(history)
        run_.log_figure(loss_curves_figure(history), "loss_curves.png")
        comparison = score(run_, settings, train, test, generator.generator_, by_class)
        log_quality(run_, train, test, generator.generator_, by_class, seed=settings.seed)
        model = log_or_keep_generator(run_, generator.generator_, class_rows=by_class)
    scores = f"Test part ({settings.protocol}):\n{text_table(comparison)}"
    if model is None:
        return told(scores, run_.id, after=", which logs the generator too")
    return told(
        f"{scores}\n\nBalance a table with it:  {augment_command(model.model_uri, settings.source.options)}",
        run_.id,
    )
