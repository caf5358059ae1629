"""`rareflow train`: one generator with given parameters, scored before and after, logged as a model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rareflow.data.card import data_card
from rareflow.evaluation.comparison import compare
from rareflow.evaluation.plots import loss_curves_figure
from rareflow.tracking.registry import log_generator
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store
from rareflow.workflows.fitting import fit_generator
from rareflow.workflows.progress import say
from rareflow.workflows.report import log_comparison, text_table
from rareflow.workflows.settings import Settings, limit_threads

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["run"]


def run(settings: Settings, params: Mapping[str, Any], *, growth: float) -> str:
    """Train on the training part, score on the test part, log; give the scores for the screen.

    Parameters
    ----------
    settings
        Data, split, seed and tracking.
    params
        Parameters of `rareflow.VAEWGANGP`.
    growth
        Forged rows for each real one, for every class but the largest, >= 0.
    """
    limit_threads(settings.n_threads)
    say(f"Reading {settings.source.data} ...")
    train, test = settings.parts
    table = settings.source.table
    by_class = dict.fromkeys(list(train.class_counts)[1:], growth)
    prepare_store(settings.experiment)
    tags = {"data": table.name, "data_digest": table.digest, "simulated": str(table.simulated).lower()}
    tags["protocol"] = settings.protocol
    with parent_run(f"train {table.name}", params=params, tags=tags) as run_:
        run_.log_text(data_card(table), "data_card.md")
        run_.log_dataset(
            train.frame,
            name=table.name,
            digest=train.digest,
            targets=train.label,
            context="training",
            source=settings.source.data,
        )
        generator = fit_generator(train, params, seed=settings.seed, device=settings.device)
        history = [asdict(step) for step in generator.history_]
        run_.log_curve(history)
        run_.log_figure(loss_curves_figure(history), "loss_curves.png")
        comparison = compare(
            train,
            test,
            generator.generator_,
            by_class,
            seed=settings.seed,
            n_threads=settings.n_threads,
            on_score=lambda who: say(f"Scoring {who} on the test part ..."),
        )
        log_comparison(run_, comparison)
        model = log_generator(generator.generator_, growth=by_class)
    return f"""\
Test part ({settings.protocol}):
{text_table(comparison)}

Balance a table with this generator:  rareflow augment --data FILE --model {model.model_uri} --out balanced.parquet"""
