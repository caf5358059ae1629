"""The others without their choice: SMOTE, after scaling too, and random oversampling, each at fixed amounts.

    RAREFLOW_DATA=FOLDER python experiments/fixed_amounts.py gas-pipeline gas-pipeline-full kdd5 cic-ids-2017
    python experiments/fixed_amounts.py --report

In `rareflow benchmark` they choose their amount on inner splits, where a class cut to ten rows tests with
three and the largest with thousands; rareflow stands at one amount. Here nobody chooses. Splits, shots, seeds
and detectors are the benchmark's, whose cells of rareflow, and of the two with their choice, stand beside.
Writes ``fixed-amounts-TABLE.csv``, a row a number of shots, seed, variant and detector, and goes on where it
was stopped.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from sklearn.base import TransformerMixin
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from by_table import FOLDER, run_and_report
from cells import Cells
from rareflow.data.shots import few_shots
from rareflow.data.splits import split_table
from rareflow.evaluation.augmenters import RowAugmenter
from rareflow.evaluation.augmenters.rareflow import Rareflow
from rareflow.evaluation.augmenters.resampling import RandomOversampling, Smote
from rareflow.evaluation.baselines import smote
from rareflow.evaluation.detectors import evaluate_detectors
from rareflow.evaluation.statistics import compare_each, scores_by_seed
from tuning import opened

SEEDS = range(10)
SHOTS = ("10", "25")
OURS = Rareflow.name
CHOOSERS = (Smote.name, RandomOversampling.name)
AMOUNTS = {"1/4": 0.25, "1/2": 0.5, "3/4": 0.75}


class CappedSmote(Smote):
    """SMOTE to as many rows as rareflow."""

    counts = Rareflow.counts


class ScaledSmote(CappedSmote):
    """The same between rows whose numbers were put onto one scale first, as pipelines often have it."""

    def __init__(self, scaler: TransformerMixin) -> None:
        self._scaler = scaler

    def learn(self, X: pd.DataFrame, y: NDArray[np.object_], *, seed: int) -> None:  # noqa: ARG002
        """Learn the scale of each number from the training part."""
        self._numbers = [name for name in X.columns if is_numeric_dtype(X[name].dtype)]
        self._scaled = X.astype(dict.fromkeys(self._numbers, np.float64))
        self._scaled[self._numbers] = self._scaler.fit_transform(self._scaled[self._numbers].to_numpy())

    def forge(self, counts: dict[str, int]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
        """Draw on that scale, and give the rows in the table's own units."""
        X, y = smote(self._scaled, self.y, counts, seed=self.seed)
        rows = X.iloc[len(self.X) :].copy()
        rows[self._numbers] = self._scaler.inverse_transform(rows[self._numbers].to_numpy())
        return rows, y[len(self.X) :]


VARIANTS: dict[str, tuple[RowAugmenter, float]] = {
    "SMOTE, rareflow's rows": (CappedSmote(), 1.0),
    "the same on standardised numbers": (ScaledSmote(StandardScaler()), 1.0),
    "the same on numbers by rank": (ScaledSmote(QuantileTransformer(random_state=0)), 1.0),
    **{f"SMOTE at {name}": (Smote(), amount) for name, amount in AMOUNTS.items()},
    **{f"random oversampling at {name}": (RandomOversampling(), amount) for name, amount in AMOUNTS.items()},
}


def run(name: str) -> None:
    cells = Cells(FOLDER / f"fixed-amounts-{name}.csv", ["shots", "seed", "variant"])
    table, _ = opened(name)
    for shots, seed in product(SHOTS, SEEDS):
        missing = [variant for variant in VARIANTS if cells.lacks(shots, seed, variant)]
        if not missing:
            continue
        split = split_table(table, "random", test_size=0.3, seed=seed)
        train, test = few_shots(table.take(split.train), int(shots), seed=seed), table.take(split.test)
        for variant in missing:
            maker, amount = VARIANTS[variant]
            maker.fit(train, seed=seed)
            made = maker.training_set(amount)
            found = evaluate_detectors(
                made.X, made.y, test.X, test.labels, labels=list(train.class_counts), seed=seed
            )
            cells.add((shots, seed, variant), found)


def markdown(file: Path) -> str:
    """Give each variant's mean, and rareflow over it, paired by seed with the 95 % interval."""
    name = file.stem.removeprefix("fixed-amounts-")
    results = pd.read_csv(file)
    cells = pd.read_csv(FOLDER / name / "results.csv", keep_default_na=False)
    columns = {}
    for shots, own in results.groupby("shots"):
        every = 100 * own.pivot_table(index="seed", columns="variant", values="macro_f1")
        fixed = every[[variant for variant in VARIANTS if variant in every]]
        scores = fixed.join(scores_by_seed(cells[cells["shots"] == str(shots)])[[*CHOOSERS, OURS]]).dropna()
        found = compare_each(scores, dict.fromkeys(scores, OURS))
        columns[f"{name}, {shots} shots, {len(scores)} seeds"] = {OURS: f"{scores[OURS].mean():.1f}"} | {
            variant: f"{scores[variant].mean():.1f}, {-e.difference:+.1f} [{-e.high:+.1f}, {-e.low:+.1f}]"
            for variant, e in found.items()
        }
    lines = [f"| macro F1, %, rareflow over it | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for variant in [OURS, *VARIANTS, *CHOOSERS]:
        shown = f"{variant}, as it chose" if variant in CHOOSERS else variant
        if told := [each[variant] for each in columns.values() if variant in each]:
            lines.append(f"| {shown} | {' | '.join(told)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run_and_report(run, "fixed-amounts-*.csv", markdown)
