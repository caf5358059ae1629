"""Augmenters side by side: the same training rows, the same test rows, the same detectors and seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from rareflow.data.names import shown_names
from rareflow.errors import DataError
from rareflow.evaluation.balance import forge, new_rows
from rareflow.evaluation.baselines import smote
from rareflow.evaluation.detectors import evaluate_detectors, mean_macro_f1
from rareflow.markdown import grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from rareflow.data.stream import Stream
    from rareflow.data.table import Table
    from rareflow.evaluation.metrics import Scores
    from rareflow.generators.portable import PortableGenerator

__all__ = [
    "OURS",
    "RAW",
    "SMOTE",
    "Comparison",
    "check_test_classes",
    "compare",
    "markdown_table",
    "shown_counts",
    "summary_table",
    "text_table",
    "unseen_counts",
]

RAW, SMOTE, OURS = "RAW", "SMOTE", "rareflow"

Comparison = Mapping[str, Mapping[str, "Scores"]]
"""Scores by augmenter, then by detector."""


def compare(
    train: Table,
    test: Table,
    generator: PortableGenerator | None,
    class_rows: Mapping[str, int],
    *,
    seed: int,
    n_threads: int = 1,
    on_score: Callable[[str], None] = lambda _name: None,
) -> Comparison:
    """Score the detectors on a test part, trained on the table as it is, with SMOTE and with forged rows.

    SMOTE grows every class by as many rows as the generator does. Without a generator, RAW stands alone.

    Parameters
    ----------
    train, test
        The two parts; only the first is balanced.
    generator
        Fitted on the training part or on another table of the same columns.
    class_rows
        Rows that a class is to have, real and forged together, by class.
    seed, n_threads
        Seed of augmenters and detectors; threads of each detector.
    on_score
        Called with an augmenter's name before it is scored.

    Raises
    ------
    DataError
        If classes occur in the test part only.
    """
    check_test_classes(train, test)
    counts = new_rows(train.class_counts, class_rows)
    tables = {RAW: lambda: (train.X, train.labels)}
    if generator is not None:
        tables[SMOTE] = lambda: smote(train.X, train.labels, counts, seed=seed)
        tables[OURS] = lambda: forge(train.X, train.labels, counts, generator=generator, seed=seed)
    scored = {}
    for name, table in tables.items():
        on_score(name)
        X, y = table()
        scored[name] = evaluate_detectors(
            X, y, test.X, test.labels, labels=list(train.class_counts), seed=seed, n_threads=n_threads
        )
    return scored


def check_test_classes(train: Table, test: Table | Stream) -> None:
    """Refuse classes that occur in the test part only.

    Raises
    ------
    DataError
        If there are any.
    """
    if unseen := unseen_counts(train, test):
        raise DataError(
            f"classes that occur in the test part only: {shown_names(shown_counts(unseen))}; no detector can "
            "learn them: add training rows of them, or leave them out of the test part with --unseen-classes "
            "drop"
        )


def unseen_counts(train: Table, test: Table | Stream) -> dict[str, int]:
    """Give the rows of each class that occurs in the test part only, the largest class first."""
    return {name: rows for name, rows in test.class_counts.items() if name not in train.class_counts}


def shown_counts(counts: Mapping[str, int]) -> list[str]:
    """Write each class with its rows."""
    return [f"{name!r} ({rows:,} rows)" for name, rows in counts.items()]


def summary_table(comparison: Comparison) -> pd.DataFrame:
    """Give the scalar metrics as percentages, one row an augmenter and detector."""
    rows = [
        {
            "augmenter": name,
            "detector": detector,
            **{key: 100 * value for key, value in scores.summary().items()},
        }
        for name, by_detector in comparison.items()
        for detector, scores in by_detector.items()
    ]
    return pd.DataFrame(rows)


def markdown_table(comparison: Comparison) -> str:
    """Write the scalar metrics in percent, one row an augmenter and detector, as Markdown."""
    summary = summary_table(comparison)
    names = [name.replace("_", " ") for name in summary.columns]
    rows = (
        [augmenter, detector, *(f"{value:.2f}" for value in figures)]
        for augmenter, detector, *figures in summary.itertuples(index=False)
    )
    return grid(names, rows, text=2)


def text_table(comparison: Comparison) -> str:
    """Write the mean and each detector's macro-F1 in percent, one line an augmenter, for a screen."""
    names = list(next(iter(comparison.values())))
    lines = [f"{'macro F1, %':<14}" + "".join(f"{name:>9}" for name in ["mean", *names])]
    for augmenter, scores in comparison.items():
        figures = [mean_macro_f1(scores), *(scores[name].macro_f1 for name in names)]
        lines.append(f"{augmenter:<14}" + "".join(f"{100 * value:>9.2f}" for value in figures))
    return "\n".join(lines)
