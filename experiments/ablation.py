"""Which idea bought what: the generator with one part changed, at ten shots, ten seeds.

    RAREFLOW_DATA=FOLDER python experiments/ablation.py gas-pipeline
    RAREFLOW_DATA=FOLDER python experiments/ablation.py cic-ids-2017
    python experiments/ablation.py --report

Splits, shots, seeds and detectors are those of `rareflow benchmark`. Nothing is chosen: every line grows each
class to 700 rows, or goes as far towards balance as it says, so SMOTE stands at each of its
amounts. Writes ``ablation-TABLE.csv``, a row a variant, seed and detector, and goes on where it was stopped.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from by_table import FOLDER
from cells import Cells
from rareflow import load_table
from rareflow.evaluation.augmenters import RowAugmenter
from rareflow.evaluation.augmenters.networks import NetworkAugmenter, PaperVaeWganGp
from rareflow.evaluation.augmenters.rareflow import Rareflow
from rareflow.evaluation.augmenters.resampling import Smote
from rareflow.evaluation.balance import CLASS_ROWS, new_rows
from rareflow.evaluation.benchmark import Part, Protocol, make_part
from rareflow.evaluation.detectors import evaluate_detectors
from rareflow.evaluation.metrics import Scores
from rareflow.evaluation.statistics import compare_each
from rareflow.workflows.settings import limit_threads

SEEDS = range(10)
SHOTS = 10
TABLES = {"gas-pipeline": "gas_pipeline_10pct.parquet", "cic-ids-2017": "cicids2017_assembled.parquet"}
SHIPPED = "rareflow as shipped"
PAPER = PaperVaeWganGp.settings
LARGE = {"batch_size": 500, "hidden_dim": 256}


class ToClassRows:
    """Grow each class to 700 rows, whatever the largest one has."""

    def counts(self, class_counts: Mapping[str, int], amount: float) -> dict[str, int]:  # noqa: ARG002
        """Give the rows to forge, by class."""
        return new_rows(class_counts, dict.fromkeys(class_counts, CLASS_ROWS))


def network(**settings: object) -> NetworkAugmenter:
    class Variant(ToClassRows, Rareflow):
        name = "variant"

    Variant.settings = settings
    return Variant()


class Unreconstructed(ToClassRows, Rareflow):
    """A generator that never hears how far its rows are from those that it encodes."""

    name = "variant"

    def learn(self, X: pd.DataFrame, y: NDArray[np.object_], *, seed: int) -> None:
        """Train the network on the rest of Eq. 8."""
        with patch("rareflow.generators.losses.reconstruction", lambda raw, _x, _layout: 0.0 * raw.sum()):
            super().learn(X, y, seed=seed)


class Tempered(NetworkAugmenter):
    """The generator as shipped, at amounts that the others have too."""

    name = "variant"


class CappedSmote(ToClassRows, Smote):
    """SMOTE to 700 rows."""


VARIANTS: dict[str, tuple[RowAugmenter, float]] = {
    SHIPPED: (network(), 1.0),
    "without the filter": (network(filter=False), 1.0),
    "sampling: residual (no crossover)": (network(sampling="residual"), 1.0),
    "sampling: neighbours": (network(sampling="neighbours"), 1.0),
    "sampling: interpolation (no decoder)": (network(sampling="interpolation"), 1.0),
    "sampling: posterior": (network(sampling="posterior"), 1.0),
    "sampling: prior": (network(sampling="prior"), 1.0),
    "half the posterior's noise": (network(noise=0.5), 1.0),
    "no posterior noise": (network(noise=0.0), 1.0),
    "snap: none": (network(snap="none"), 1.0),
    "snap: observed": (network(snap="observed"), 1.0),
    "loss: no critic (VAE)": (network(architecture="vae"), 1.0),
    "loss: no gradient penalty": (network(lambda_gp=0.0), 1.0),
    "loss: no reconstruction": (Unreconstructed(), 1.0),
    "loss: no KL": (network(kl_weight=0.0), 1.0),
    "loss: the paper's KL weight, 1": (network(kl_weight=1.0), 1.0),
    "codec: z-score": (network(codec="zscore"), 1.0),
    "codec: quantile": (network(codec="quantile"), 1.0),
    "batches of 500, layers of 256": (network(**LARGE, precision="float32"), 1.0),
    "the same, products in bfloat16": (network(**LARGE, precision="bfloat16"), 1.0),
    "amount: 1/4": (Tempered(), 0.25),
    "amount: 1/2": (Tempered(), 0.5),
    "amount: 3/4": (Tempered(), 0.75),
    "amount: 1, full balance": (Tempered(), 1.0),
    "the paper's configuration, 700 rows": (network(**PAPER), 1.0),
    "SMOTE, 700 rows": (CappedSmote(), 1.0),
    "SMOTE, amount 1/4": (Smote(), 0.25),
    "SMOTE, amount 1/2": (Smote(), 0.5),
    "SMOTE, amount 3/4": (Smote(), 0.75),
    "SMOTE, amount 1, full balance": (Smote(), 1.0),
}


def scores(part: Part, variant: str) -> dict[str, Scores]:
    maker, amount = VARIANTS[variant]
    maker.fit(part.train, seed=part.seed)
    made = maker.training_set(amount)
    return evaluate_detectors(
        made.X, made.y, part.test.X, part.test.labels, labels=list(part.train.class_counts), seed=part.seed
    )


def run(name: str) -> None:
    cells = Cells(FOLDER / f"ablation-{name}.csv", ["variant", "seed"])
    table = load_table(str(Path(os.environ["RAREFLOW_DATA"]) / TABLES[name]), recipe=name)
    for seed in SEEDS:
        missing = [variant for variant in VARIANTS if cells.lacks(variant, seed)]
        if not missing:
            continue
        part = make_part(table, Protocol(repeats=1), shots=SHOTS, seed=seed)
        for variant in missing:
            cells.add((variant, seed), scores(part, variant))


def markdown() -> str:
    """Give rareflow as shipped, and each variant less that, paired by seed with the 95 % interval."""
    columns = {}
    for file in sorted(FOLDER.glob("ablation-*.csv")):
        results = pd.read_csv(file)
        by_seed = 100 * results.pivot_table(index="seed", columns="variant", values="macro_f1")
        whole = by_seed[[name for name in VARIANTS if name in by_seed]].dropna()
        found = compare_each(whole, dict.fromkeys(whole, SHIPPED))
        columns[f"{file.stem.removeprefix('ablation-')}, {len(whole)} seeds"] = {
            SHIPPED: f"{whole[SHIPPED].mean():.1f} ± {whole[SHIPPED].std():.1f}"
        } | {name: f"{e.difference:+.1f} [{e.low:+.1f}, {e.high:+.1f}]" for name, e in found.items()}
    lines = [f"| macro F1, % | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name in VARIANTS:
        cells = [each.get(name, "") for each in columns.values()]
        if any(cells):
            shown = "rareflow, 700 rows" if name == SHIPPED else name
            lines.append(f"| {shown} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    limit_threads(1)
    for name in sys.argv[1:]:
        if name != "--report":
            run(name)
    print(markdown())


if __name__ == "__main__":
    main()
