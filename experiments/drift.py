"""What an augmenter is worth where the test part has drifted: later rows, and attacks never seen in training.

    RAREFLOW_DATA=FOLDER python experiments/drift.py
    python experiments/drift.py --report

KDD'99 (10 %), duplicates dropped, five classes. In each pair of parts a third of each class's kinds of
attack, drawn at random, occurs in the test part alone; of every other label the first 70 % of the rows, in
the order of the capture, train and the rest test. Cells are computed as `rareflow benchmark` does it.
Writes ``drift.csv``, a row a cell and detector, and goes on where it was stopped.
"""

import os
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cells import Cells
from rareflow import load_table
from rareflow.evaluation.benchmark import Protocol, make_part, run_cell
from rareflow.evaluation.comparison import OURS, RAW, SMOTE
from rareflow.evaluation.statistics import compare_each
from rareflow.workflows.settings import limit_threads

FILE = Path(__file__).with_suffix(".csv")
PAIRS = range(10)
SHOTS = (10, 25, 100, None)
AUGMENTERS = (RAW, "class weights", "random oversampling", SMOTE, OURS)
NOVEL, EARLY = 0.35, 0.7


def parts(labels: pd.Series, classes: pd.Series, pair: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the positions of a pair's training and test rows."""
    rng = np.random.default_rng(pair)
    kinds = labels.groupby(classes).unique()
    novel = [
        label
        for each in kinds[kinds.map(len) > 1]
        for label in rng.permutation(sorted(each))[: round(NOVEL * len(each))]
    ]
    by_label = labels.groupby(labels)
    early = by_label.cumcount() < np.ceil(EARLY * by_label.transform("size"))
    training = early & ~labels.isin(novel)
    return np.flatnonzero(training), np.flatnonzero(~training)


def run() -> None:
    rows = pd.read_parquet(Path(os.environ["RAREFLOW_DATA"]) / "kddcup99_10percent.parquet").drop_duplicates()
    with TemporaryDirectory() as folder:
        five = Path(folder) / "kdd5.parquet"
        rows.drop(columns="label").to_parquet(five, index=False)
        table = load_table(str(five), label="category")
    labels, classes = rows["label"].reset_index(drop=True), rows["category"].reset_index(drop=True)
    cells = Cells(FILE, ["shots", "pair", "augmenter"])
    protocol = Protocol()
    for pair, shots in product(PAIRS, SHOTS):
        missing = [name for name in AUGMENTERS if cells.lacks(shots or "all", pair, name)]
        if not missing:
            continue
        train, test = map(table.take, parts(labels, classes, pair))
        part = make_part(train, protocol, shots=shots, seed=pair, test=test)
        for name in missing:
            cells.add((shots or "all", pair, name), run_cell(part, name, protocol).scores)


def markdown() -> str:
    """Give the means by shots and augmenter, and rareflow against each: paired, Holm's p within the shots."""
    results = pd.read_csv(FILE, keep_default_na=False)
    lines = [f"| macro F1, % | {' | '.join(AUGMENTERS)} |", f"|---|{'---:|' * len(AUGMENTERS)}"]
    gains = [f"| rareflow over | {' | '.join(AUGMENTERS[:-1])} |", f"|---|{'---:|' * (len(AUGMENTERS) - 1)}"]
    for shots, own in results.groupby("shots", sort=False):
        scores = 100 * own.pivot_table(index="pair", columns="augmenter", values="macro_f1")[list(AUGMENTERS)]
        scores = scores.dropna()
        name = f"{'all rows' if shots == 'all' else f'{shots} shots'}, {len(scores)} pairs"
        lines.append(f"| {name} | {' | '.join(f'{m:.1f}' for m in scores.mean())} |")
        over = [
            f"{-e.difference:+.1f} [{-e.high:+.1f}, {-e.low:+.1f}], {e.p_holm:.2g}"
            for e in compare_each(scores, dict.fromkeys(scores, OURS)).values()
        ]
        gains.append(f"| {name} | {' | '.join(over)} |")
    return "\n".join([*lines, "", *gains])


def main() -> None:
    limit_threads(1)
    if sys.argv[1:] != ["--report"]:
        run()
    print(markdown())


if __name__ == "__main__":
    main()
