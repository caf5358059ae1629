"""What train and tune keep of a generator's quality: fidelity and privacy of its rows, class by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from rareflow.evaluation.balance import forge, new_rows
from rareflow.evaluation.fidelity import FIDELITY, MIN_ROWS, fidelity_by_class
from rareflow.evaluation.privacy import PRIVACY
from rareflow.evaluation.quality import mean_quality, quality_by_class
from rareflow.markdown import grid
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rareflow.data.table import Table
    from rareflow.generators.portable import PortableGenerator
    from rareflow.tracking.runs import Run

__all__ = ["Quality", "log_quality"]

_FEWEST, _MOST = 1_000, 5_000  # rows forged of each class: enough to measure, and what one table shows

_READING = """\
Forged rows are compared with test rows of their class. Training rows, compared in the same way, are what no
generator can be expected to beat. C2ST: a forest tells forged rows from real ones (0.5: it cannot).
Membership: an attack tells training rows from others (0.5: it cannot; a better attack may)."""


@dataclass(frozen=True, eq=False)
class Quality:
    """The quality of a generator's rows, and what it is read beside.

    Parameters
    ----------
    forged
        From `quality_by_class`; without a row where the generator grows no class.
    training
        The same classes' fidelity of the training rows themselves, from `fidelity_by_class`: what a perfect
        generator would reach on these held-out rows.
    """

    forged: pd.DataFrame
    training: pd.DataFrame

    @property
    def metrics(self) -> dict[str, float]:
        """Means over measured classes: ``fidelity_*``, ``fidelity_training_*`` and ``privacy_*``."""
        beside = mean_quality(self.training)
        return mean_quality(self.forged) | {
            name.replace("fidelity_", "fidelity_training_"): value for name, value in beside.items()
        }

    def to_csv(self) -> str:
        """Write both tables below each other, the first column says which rows were measured."""
        both = {"forged": self.forged, "training": self.training}
        return pd.concat(both, names=["rows"]).to_csv(float_format="%.6f")

    def to_markdown(self) -> str:
        """Write the means as a table; an empty field was not measured."""
        found = {name: _figure(value) for name, value in self.metrics.items()}
        rows = [
            [_words(name), found[f"fidelity_{name}"], found[f"fidelity_training_{name}"]] for name in FIDELITY
        ]
        rows += [[_words(name), found[f"privacy_{name}"], ""] for name in PRIVACY]
        measured = int(self.forged["marginal"].notna().sum())
        return f"""\
Means over the forged classes that could be measured: {measured} of {len(self.forged)} have the {MIN_ROWS} \
test rows that it takes.
{_READING}

{grid(["measure", "forged rows", "training rows"], rows)}"""


def log_quality(
    run: Run,
    train: Table,
    test: Table,
    generator: PortableGenerator,
    class_rows: Mapping[str, int],
    *,
    seed: int,
) -> Quality:
    """Measure a generator's rows; log the table ``evaluation/fidelity.csv``, and the means as metrics.

    As many rows of each class are forged as the table gets, but at least 1,000 (fewer could not be measured,
    and whoever has the generator can make more) and at most 5,000. What could not be measured is no metric.

    Parameters
    ----------
    run
        Where to log.
    train
        What the generator was trained on.
    test
        Held-out rows, which are only measured with.
    generator
        The generator, fitted.
    class_rows
        Rows that a class is to have, real and forged together, by class; one that has them is not
        measured.
    seed
        Seed of the forged rows and of every draw.
    """
    say("Measuring the forged rows ...")
    quality = _measure(train, test, generator, class_rows, seed)
    run.log_text(quality.to_csv(), "evaluation/fidelity.csv")
    run.log_metrics(quality.metrics)
    return quality


def _measure(
    train: Table, test: Table, generator: PortableGenerator, class_rows: Mapping[str, int], seed: int
) -> Quality:
    """Forge rows of each class that grows, and measure them."""
    wanted = new_rows(train.class_counts, class_rows)
    counts = {label: min(max(rows, _FEWEST), _MOST) for label, rows in wanted.items()}
    X, y = forge(train.X.head(1), train.labels[:1], counts, generator=generator, seed=seed)
    grown = pd.Index(train.labels).isin(list(counts))
    return Quality(
        quality_by_class(train, test, X.iloc[1:], y[1:], seed=seed),
        fidelity_by_class(test.X, test.labels, train.X[grown], train.labels[grown], seed=seed),
    )


def _words(name: str) -> str:
    return name.replace("c2st_auc", "C2ST AUC").replace("auc", "AUC").replace("_", " ")


def _figure(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"
