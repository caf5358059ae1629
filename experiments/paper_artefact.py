"""What a z-score and oversampling before the split do to scores on the gas pipeline.

    RAREFLOW_DATA=FOLDER python experiments/paper_artefact.py

Nothing here is about generators. Ten random 70/30 splits, XGBoost, random forest and decision tree at their
defaults, one thread, 5 minutes. `measurement` holds 32 bits that an attacker wrote, read as a float: up to
1e38. The rows of the table:

- as published: trees on the untouched columns, split first;
- z-scored: every column less its training mean, by its training standard deviation (the paper's Eq. 1);
- without measurement: the column left out;
- SMOTE, then split: full balance on the whole table, then a split, so that rows of the test part have parents
  in the training part, and most test rows are forged;
- z-scored, SMOTE, then split: both.

Writes ``paper_artefact.csv`` and prints the table.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from rareflow import Table, load_table
from rareflow.data.splits import split_table
from rareflow.evaluation.balance import balanced_counts
from rareflow.evaluation.baselines import smote
from rareflow.evaluation.detectors import evaluate_detectors
from rareflow.workflows.settings import limit_threads

SEEDS = range(10)
COLUMN = "measurement"
ORDINARY = 1e6  # no pressure of the pipeline comes near it
RESULTS = Path(__file__).with_suffix(".csv")


def z_scored(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    scaler = StandardScaler().set_output(transform="pandas").fit(train.astype(float))
    return scaler.transform(train.astype(float)), scaler.transform(test.astype(float))


def balanced(table: Table, seed: int) -> Table:
    X, y = smote(table.X, table.labels, balanced_counts(table.class_counts, 1.0), seed=seed)
    return Table(X.assign(**{table.label: y}), table.schema, table.label)


def parts(table: Table, seed: int) -> tuple[Table, Table]:
    split = split_table(table, "random", seed=seed)
    return table.take(split.train), table.take(split.test)


def variants(table: Table, seed: int) -> dict[str, tuple[Table, Table, pd.DataFrame, pd.DataFrame]]:
    train, test = parts(table, seed)
    late_train, late_test = parts(balanced(table, seed), seed)
    return {
        "as published": (train, test, train.X, test.X),
        "z-scored": (train, test, *z_scored(train.X, test.X)),
        f"without {COLUMN}": (train, test, train.X.drop(columns=COLUMN), test.X.drop(columns=COLUMN)),
        "SMOTE, then split": (late_train, late_test, late_train.X, late_test.X),
        "z-scored, SMOTE, then split": (late_train, late_test, *z_scored(late_train.X, late_test.X)),
    }


def run(table: Table) -> pd.DataFrame:
    rows = []
    for seed in SEEDS:
        for name, (train, test, train_X, test_X) in variants(table, seed).items():
            scores = evaluate_detectors(
                train_X, train.labels, test_X, test.labels, labels=list(train.class_counts), seed=seed
            )
            rows += [
                {"variant": name, "seed": seed, "detector": detector, "macro_f1": round(each.macro_f1, 5)}
                for detector, each in scores.items()
            ]
        print(f"seed {seed} done", flush=True)
    return pd.DataFrame(rows)


def distinct_values(table: Table) -> str:
    values = table.X[COLUMN].astype(float)
    ordinary = values.abs() < ORDINARY
    scaled = z_scored(table.X, table.X)[0][COLUMN]
    return (
        f"{COLUMN}: {ordinary.sum():,} of {len(values):,} values are below {ORDINARY:g} and take "
        f"{values[ordinary].nunique():,} different values, {scaled[ordinary].nunique():,} once they are "
        f"z-scored; the largest is {np.abs(values).max():.2g}"
    )


def markdown(results: pd.DataFrame) -> str:
    detectors = list(dict.fromkeys(results["detector"]))
    lines = ["| macro F1, % | " + " | ".join(detectors) + " |", "|---" * (1 + len(detectors)) + "|"]
    for name, own in results.groupby("variant", sort=False):
        by_detector = 100 * own.pivot_table(index="seed", columns="detector", values="macro_f1")
        cells = [f"{by_detector[d].mean():.1f} ± {by_detector[d].std():.1f}" for d in detectors]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    limit_threads(1)
    if "--report" not in sys.argv[1:]:
        file = Path(os.environ["RAREFLOW_DATA"]) / "gas_pipeline_10pct.parquet"
        table = load_table(str(file), recipe="gas-pipeline")
        print(distinct_values(table))
        run(table).to_csv(RESULTS, index=False)
    print(markdown(pd.read_csv(RESULTS)))


if __name__ == "__main__":
    main()
