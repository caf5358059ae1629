"""What train, tune and evaluate report of a comparison: metrics, tables and figures to a run, text to the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.evaluation.comparison import OURS, RAW, Comparison, summary_table
from rareflow.evaluation.detectors import macro_f1
from rareflow.evaluation.plots import confusion_figure, per_class_f1_figure

if TYPE_CHECKING:
    from rareflow.tracking.runs import Run

__all__ = ["log_comparison", "markdown_table", "text_table"]


def markdown_table(comparison: Comparison) -> str:
    """Write macro precision, recall and F1 in percent, one row an augmenter and detector, as Markdown."""
    lines = [
        "| training table | detector | macro precision | macro recall | macro F1 | balanced accuracy | MCC |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in summary_table(comparison).itertuples():
        figures = (row.macro_precision, row.macro_recall, row.macro_f1, row.balanced_accuracy, row.mcc)
        lines.append(f"| {row.augmenter} | {row.detector} | " + " | ".join(f"{value:.2f}" for value in figures) + " |")
    return "\n".join(lines)


def text_table(comparison: Comparison) -> str:
    """Write the mean and each detector's macro-F1 in percent, one line an augmenter, for a screen."""
    names = list(next(iter(comparison.values())))
    lines = [f"{'macro F1, %':<14}" + "".join(f"{name:>9}" for name in ["mean", *names])]
    for augmenter, scores in comparison.items():
        figures = [macro_f1(dict(scores)), *(scores[name].macro_f1 for name in names)]
        lines.append(f"{augmenter:<14}" + "".join(f"{100 * value:>9.2f}" for value in figures))
    return "\n".join(lines)


def log_comparison(run: Run, comparison: Comparison) -> None:
    """Log metrics by augmenter and detector, per-class scores, confusion matrices and before/after figures."""
    run.log_text(summary_table(comparison).to_csv(index=False), "evaluation/summary.csv")
    run.log_text(markdown_table(comparison) + "\n", "evaluation/summary.md")
    for augmenter, by_detector in comparison.items():
        key = augmenter.lower()
        run.log_metrics({f"test_macro_f1_{key}": macro_f1(dict(by_detector))})
        for detector, scores in by_detector.items():
            run.log_metrics({f"test/{key}/{detector}/{name}": value for name, value in scores.summary().items()})
            run.log_text(scores.to_frame().to_csv(), f"evaluation/per_class_{key}_{detector}.csv")
            title = f"{augmenter}, {detector}"
            run.log_figure(confusion_figure(scores, title), f"evaluation/confusion_{key}_{detector}.png")
    if OURS in comparison:
        figure = per_class_f1_figure(dict(comparison[RAW]), dict(comparison[OURS]), "F1 by class, before and after")
        run.log_figure(figure, "evaluation/per_class_f1.png")
