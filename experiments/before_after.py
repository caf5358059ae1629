"""RAW, SMOTE and rareflow's untuned defaults on the two real tables: all rows, and ten shots.

    RAREFLOW_DATA=FOLDER python experiments/before_after.py

Writes ``before_after.csv`` (one row a table, regime, seed, augmenter and detector) beside itself and prints the
README's table. Ten shots: every class but the largest is cut to ten training rows. SMOTE and rareflow grow each class
but the largest by the same amount: 3 rows for each real one with all rows, 20 with ten shots. One thread.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from rareflow import VAEWGANGP, Table, load_table
from rareflow.data.splits import split_table
from rareflow.evaluation.comparison import compare, summary_table
from rareflow.workflows.settings import limit_threads

SEEDS = range(10)
SHOTS = 10
TABLES = {"gas-pipeline": "gas_pipeline_10pct.parquet", "cic-ids-2017": "cicids2017_assembled.parquet"}
RESULTS = Path(__file__).with_suffix(".csv")


def few_shots(train: Table, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    largest, *others = train.class_counts
    kept = [np.flatnonzero(train.labels == largest)]
    for name in others:
        rows = np.flatnonzero(train.labels == name)
        kept.append(rng.choice(rows, min(SHOTS, len(rows)), replace=False))
    return train.take(np.sort(np.concatenate(kept)))


def cell(table: Table, shots: bool, seed: int) -> pd.DataFrame:
    split = split_table(table, "random", seed=seed)
    train, test = table.take(split.train), table.take(split.test)
    if shots:
        train = few_shots(train, seed)
    growth = dict.fromkeys(list(train.class_counts)[1:], 20.0 if shots else 3.0)
    generator = VAEWGANGP(random_state=seed, device="cpu").fit(train.X, train.y).generator_
    scores = summary_table(compare(train, test, generator, growth, seed=seed))
    return scores.assign(table=table.name, regime=f"{SHOTS} shots" if shots else "all rows", seed=seed)


def main() -> None:
    limit_threads(1)
    folder = Path(os.environ["RAREFLOW_DATA"])
    cells = []
    for name, file in TABLES.items():
        table = load_table(str(folder / file), recipe=name)
        for shots in (False, True):
            for seed in SEEDS:
                cells.append(cell(table, shots, seed))
                print(f"{name}, {'10 shots' if shots else 'all rows'}: seed {seed} done", flush=True)
    results = pd.concat(cells, ignore_index=True).round(4)
    results.to_csv(RESULTS, index=False)
    print(markdown(results))


def markdown(results: pd.DataFrame) -> str:
    """Mean macro-F1 over the detectors, mean and standard deviation over the seeds, in percent."""
    mean = results.groupby(["table", "regime", "seed", "augmenter"], sort=False)["macro_f1"].mean()
    across = mean.groupby(["augmenter", "table", "regime"], sort=False).agg(["mean", "std"])
    cells = across.apply(lambda row: f"{row['mean']:.1f} ± {row['std']:.1f}", axis=1).unstack(["table", "regime"])
    lines = ["| training table | " + " | ".join(", ".join(key) for key in cells.columns) + " |"]
    lines.append("|---" * (1 + cells.shape[1]) + "|")
    lines += [f"| {name} | " + " | ".join(row) + " |" for name, row in cells.iterrows()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
