"""RAW, SMOTE and rareflow's untuned defaults on the two real tables: all rows, and ten shots.

    RAREFLOW_DATA=FOLDER python experiments/before_after.py
    python experiments/before_after.py --report

The first line runs (36 minutes on one busy core) and writes ``before_after.csv``: a row a table,
regime, seed, augmenter and detector. Both draw ``images/before_after.png`` and print the README's table.
Ten shots: every class but the largest is cut to ten training rows. SMOTE and rareflow grow each class but
the largest by the same amount: 3 rows for each real one with all rows, 20 with ten shots. One thread.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rareflow import VAEWGANGP, Table, load_table
from rareflow.data.splits import split_table
from rareflow.evaluation.comparison import compare, summary_table
from rareflow.workflows.settings import limit_threads

SEEDS = range(10)
SHOTS = 10
TABLES = {"gas-pipeline": "gas_pipeline_10pct.parquet", "cic-ids-2017": "cicids2017_assembled.parquet"}
COLOURS = {"RAW": "#8c8c8c", "SMOTE": "#e69f00", "rareflow": "#0072b2"}
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


def run() -> None:
    limit_threads(1)
    folder = Path(os.environ["RAREFLOW_DATA"])
    cells = []
    for name, file in TABLES.items():
        table = load_table(str(folder / file), recipe=name)
        for shots in (False, True):
            for seed in SEEDS:
                cells.append(cell(table, shots, seed))
                print(f"{name}, {'10 shots' if shots else 'all rows'}: seed {seed} done", flush=True)
    pd.concat(cells, ignore_index=True).round(4).to_csv(RESULTS, index=False)


def by_seed(results: pd.DataFrame) -> pd.DataFrame:
    """Mean macro-F1 over the detectors in percent, a row a table, regime, augmenter and seed."""
    keys = ["table", "regime", "augmenter", "seed"]
    return results.groupby(keys, sort=False, as_index=False)["macro_f1"].mean()


def settings_of(results: pd.DataFrame) -> list[tuple[str, str]]:
    return list(dict.fromkeys(zip(results["table"], results["regime"], strict=True)))


def values_of(scores: pd.DataFrame, table: str, regime: str, augmenter: str) -> np.ndarray:
    chosen = (scores["table"] == table) & (scores["regime"] == regime) & (scores["augmenter"] == augmenter)
    return scores.loc[chosen, "macro_f1"].to_numpy()


def markdown(results: pd.DataFrame) -> str:
    """Mean macro-F1 over the detectors, mean and standard deviation over the seeds, in percent."""
    scores, settings = by_seed(results), settings_of(results)
    lines = ["| training table | " + " | ".join(", ".join(setting) for setting in settings) + " |"]
    lines.append("|---" * (1 + len(settings)) + "|")
    for name in COLOURS:
        cells = [values_of(scores, *setting, name) for setting in settings]
        lines.append(
            f"| {name} | " + " | ".join(f"{v.mean():.1f} ± {v.std(ddof=1):.1f}" for v in cells) + " |"
        )
    return "\n".join(lines)


def figure(results: pd.DataFrame) -> Figure:
    """Every seed as a point, the mean as a bar; a panel for each table and regime."""
    scores, settings = by_seed(results), settings_of(results)
    drawn = Figure(figsize=(11, 3.2), layout="constrained")
    for axes, (table, regime) in zip(drawn.subplots(1, len(settings)), settings, strict=True):
        for i, (name, colour) in enumerate(COLOURS.items()):
            values = values_of(scores, table, regime, name)
            spread = i + np.linspace(-0.18, 0.18, len(values))
            axes.plot(spread, np.sort(values), "o", color=colour, alpha=0.6, markersize=4)
            axes.hlines(values.mean(), i - 0.3, i + 0.3, color=colour, linewidth=2.5)
            axes.annotate(f"{values.mean():.1f}", (i + 0.32, values.mean()), va="center", fontsize=8)
        axes.set_xticks(range(len(COLOURS)), list(COLOURS))
        axes.set_xlim(-0.5, len(COLOURS) - 0.2)
        axes.set_title(f"{table}, {regime}", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    drawn.supylabel("macro F1, %", fontsize=10)
    return drawn


def main() -> None:
    if "--report" not in sys.argv[1:]:
        run()
    results = pd.read_csv(RESULTS)
    figure(results).savefig(RESULTS.parent / "images" / "before_after.png", dpi=130)
    print(markdown(results))


if __name__ == "__main__":
    main()
