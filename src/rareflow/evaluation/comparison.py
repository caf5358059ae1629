"""Augmenters side by side: the same training rows, the same test rows, the same detectors and seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from rareflow.errors import DataError
from rareflow.evaluation.balance import forge, new_rows
from rareflow.evaluation.baselines import smote
from rareflow.evaluation.detectors import evaluate_detectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from rareflow.data.stream import Stream
    from rareflow.data.table import Table
    from rareflow.evaluation.metrics import Scores
    from rareflow.generators.portable import PortableGenerator

__all__ = ["OURS", "RAW", "SMOTE", "Comparison", "check_test_classes", "compare", "summary_table"]

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
        If a class occurs in the test part only.
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
    """Refuse a class that occurs in the test part only.

    Raises
    ------
    DataError
        If there is one.
    """
    unknown = [label for label in test.class_counts if label not in train.class_counts]
    if unknown:
        raise DataError(
            f"label {unknown[0]!r} occurs in the test part only ({test.class_counts[unknown[0]]} rows); "
            "no detector can learn it: add training rows of it, or leave its rows out of the test part"
        )


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
