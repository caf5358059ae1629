"""The scores on the test part, and what train, tune and evaluate log of them and of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from rareflow.data.card import data_card
from rareflow.evaluation.comparison import OURS, RAW, compare, markdown_table, summary_table
from rareflow.evaluation.detectors import mean_macro_f1
from rareflow.evaluation.plots import confusion_figure, per_class_f1_figure
from rareflow.workflows.matching import repeated_rows
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rareflow.data.table import Table
    from rareflow.evaluation.comparison import Comparison
    from rareflow.evaluation.metrics import Scores
    from rareflow.generators.portable import PortableGenerator
    from rareflow.tracking.runs import Run
    from rareflow.workflows.settings import Settings

__all__ = ["log_data", "score"]


def log_data(run: Run, settings: Settings) -> None:
    """Log the data card, both parts as the run's data sets, and how many test rows equal a training row.

    The last is said too, for it flatters every score.
    """
    run.log_text(data_card(settings.source.table), "data_card.md")
    train, test = settings.parts
    repeated = repeated_rows(train, test)
    run.log_metrics({"test_rows_in_training_part": repeated})
    if repeated:
        say(
            f"{repeated:,} of the {len(test):,} test rows equal a training row, label included: records that "
            "repeat do, which --split grouped keeps on one side, and so do those of a test file that is part "
            "of the table"
        )
    for part, context, source in (
        (train, "training", settings.source.data),
        (test, "test", settings.test or settings.source.data),
    ):
        run.log_table(part, context=context, source=source)


def score(
    run: Run,
    settings: Settings,
    train: Table,
    test: Table,
    generator: PortableGenerator | None,
    class_rows: Mapping[str, int],
) -> Comparison:
    """Score RAW, SMOTE and the generator on the test part, telling of each, and log what comes out.

    The scores are the run's description too.
    """
    comparison = compare(
        train,
        test,
        generator,
        class_rows,
        seed=settings.seed,
        n_threads=settings.n_threads,
        on_score=lambda who: say(f"Scoring {who} on the test part ..."),
    )
    run.log_text(summary_table(comparison).to_csv(index=False), "evaluation/summary.csv")
    table = markdown_table(comparison)
    run.log_text(f"{table}\n", "evaluation/summary.md")
    # The run's description on MLflow's pages.
    run.set_tag(MLFLOW_RUN_NOTE, f"Scores on the test part ({settings.protocol}), %:\n\n{table}")
    for augmenter, by_detector in comparison.items():
        run.log_metrics({f"test_macro_f1_{augmenter.lower()}": mean_macro_f1(by_detector)})
        for detector, scores in by_detector.items():
            _log_scores(run, augmenter, detector, scores)
    if OURS in comparison:
        figure = per_class_f1_figure(comparison[RAW], comparison[OURS], "F1 by class, before and after")
        run.log_figure(figure, "evaluation/per_class_f1.png")
    return comparison


def _log_scores(run: Run, augmenter: str, detector: str, scores: Scores) -> None:
    """Log one detector's metrics, per-class scores and confusion matrix."""
    key = augmenter.lower()
    metrics = {f"test/{key}/{detector}/{name}": value for name, value in scores.summary().items()}
    run.log_metrics(metrics)
    run.log_text(scores.to_frame().to_csv(), f"evaluation/per_class_{key}_{detector}.csv")
    figure = confusion_figure(scores, f"{augmenter}, {detector}")
    run.log_figure(figure, f"evaluation/confusion_{key}_{detector}.png")
