"""`rareflow evaluate`: the detectors on a test part, before and after augmentation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rareflow.evaluation.balance import new_rows
from rareflow.evaluation.comparison import text_table
from rareflow.tracking.leftovers import sweep_dead_runs
from rareflow.tracking.loading import load_generator
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import open_existing_store, prepare_store
from rareflow.workflows.matching import known_rows, match_generator, match_test_part
from rareflow.workflows.outcome import told
from rareflow.workflows.scoring import log_data, score
from rareflow.workflows.settings import about_test_file, limit_threads

if TYPE_CHECKING:
    from rareflow.workflows.settings import Settings

__all__ = ["run"]

_NOTHING_FORGED = (
    "\nNothing was forged, so that all lines are those of the table as it is: every class has as many rows "
    "as --model would give it."
)


def run(settings: Settings, *, model: str) -> str:
    """Score RAW and, where a model is given, SMOTE and the model's rows; give the scores for the screen.

    Scores of a model that was trained on test rows that the training part lacks flatter it: how many there
    are is said, and logged as ``test_rows_known_to_model``.

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
    settings.check_trainable(for_generator=False)
    train, test = settings.parts
    if loaded:
        train = match_generator(train, loaded.generator)
        with about_test_file(settings.test):
            test = match_test_part(train, test)
    prepare_store(settings.experiment)
    sweep_dead_runs()
    with parent_run(
        f"evaluate {settings.source.table.name}",
        params=settings.params | {"model": model},
        tags={**settings.tags, "model": model or "none"},
    ) as run_:
        log_data(run_, settings)
        if loaded:
            known = known_rows(loaded.generator, train, test)
            run_.log_metrics({"test_rows_known_to_model": known})
            comparison = score(run_, settings, train, test, loaded.generator, loaded.class_rows)
            note = _warning(known, len(test)) if known else ""
            if not new_rows(train.class_counts, loaded.class_rows):
                note += _NOTHING_FORGED
        else:
            comparison = score(run_, settings, train, test, None, {})
            note = "\nGive --model to see the same after augmentation."
    return told(f"Test part ({settings.protocol}):\n{text_table(comparison)}{note}", run_.id)


def _warning(known: int, n_rows: int) -> str:
    return (
        f"\nBeware: --model was trained on {known:,} of the {n_rows:,} test rows, so its scores flatter it. "
        "Give --split, --test-size, --seed, --sample-rows and what else says which rows are read as it was "
        "trained with, or other rows as --test FILE."
    )
