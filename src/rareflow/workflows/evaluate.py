"""`rareflow evaluate`: the detectors on a test part, before and after augmentation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rareflow.evaluation.comparison import compare
from rareflow.tracking.registry import load_generator
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import open_existing_store, prepare_store
from rareflow.workflows.augment import check_columns
from rareflow.workflows.progress import say
from rareflow.workflows.report import log_comparison, text_table
from rareflow.workflows.settings import limit_threads

if TYPE_CHECKING:
    from rareflow.workflows.settings import Settings

__all__ = ["run"]


def run(settings: Settings, *, model: str) -> str:
    """Score RAW and, where a model is given, SMOTE and the model's rows; give the scores for the screen.

    Parameters
    ----------
    settings
        Data, split or test file, seed and tracking.
    model
        URI of a registered or logged generator; empty: RAW alone.
    """
    limit_threads(settings.n_threads)
    loaded = None
    if model:
        open_existing_store()
        loaded = load_generator(model)
        settings = replace(settings, source=settings.source.like(loaded.generator))
    say(f"Reading {settings.source.data} ...")
    train, test = settings.parts
    if loaded:
        check_columns(train, loaded.generator)
    prepare_store(settings.experiment)
    table = settings.source.table
    tags = {"data": table.name, "data_digest": table.digest, "protocol": settings.protocol, "model": model or "none"}
    with parent_run(f"evaluate {table.name}", tags=tags) as run_:
        comparison = compare(
            train,
            test,
            loaded.generator if loaded else None,
            loaded.growth if loaded else {},
            seed=settings.seed,
            n_threads=settings.n_threads,
            on_score=lambda who: say(f"Scoring {who} ..."),
        )
        log_comparison(run_, comparison)
    note = "" if model else "\nGive --model to see the same after augmentation."
    return f"Test part ({settings.protocol}):\n{text_table(comparison)}{note}"
