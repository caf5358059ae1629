"""The README's table and figure, from the committed results of `rareflow benchmark` alone.

    python experiments/summary.py
    python experiments/summary.py --report    # what else moves: precision, recall, MCC

Draws ``summary.png`` and prints the table: mean macro-F1 of XGBoost, random forest and decision tree in
percent, for each table and number of shots, and rareflow against the best of all others, paired by seed; p is
that of the tables' reports, where each augmenter is held against its best other.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rareflow.evaluation.comparison import OURS, RAW, SMOTE
from rareflow.evaluation.statistics import Paired, best_others, compare_each, scores_by_seed

FOLDER = Path(__file__).parent
TABLES = ("gas-pipeline", "cic-ids-2017", "gas-pipeline-full", "kdd-sample", "kdd5")
FEWEST = 5
PANELS = 6  # of the figure, side by side
COLOURS = {RAW: "#8c8c8c", SMOTE: "#e69f00", OURS: "#0072b2"}


def settings() -> dict[str, tuple[pd.DataFrame, Paired, pd.DataFrame]]:
    """Score frames (a row a seed, a column an augmenter) by table and shots, and what rareflow is ahead by.

    Frames hold the seeds that RAW, SMOTE and rareflow all have, and the augmenters that have all of these:
    means over different seeds do not compare. What has less than `FEWEST` such seeds is left out. Last come
    the results that the frames were made of.
    """
    found = {}
    for table in TABLES:
        results = pd.read_csv(FOLDER / table / "results.csv", dtype={"shots": str})
        for shots, own in results.groupby("shots", sort=False):
            name = f"{table}, all rows" if shots == "all" else f"{table}, {shots} shots"
            scores = scores_by_seed(own)
            if set(COLOURS) <= set(scores):
                whole = scores.dropna(subset=list(COLOURS)).dropna(axis=1)
                if len(whole) >= FEWEST:
                    found[name] = whole, compare_each(scores, best_others(scores))[OURS], own
    return found


def text(scores: pd.Series) -> str:
    return f"{scores.mean():.1f} ± {scores.std():.1f}"


def markdown() -> str:
    lines = [
        "| macro F1, % | seeds | RAW | SMOTE | best of all others | rareflow | over it | p |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, (scores, over, _) in settings().items():
        lines.append(
            f"| {name} | {over.seeds} | {text(scores['RAW'])} | {text(scores['SMOTE'])} | "
            f"{text(scores[over.reference])} ({over.reference}) | {text(scores[OURS])} | "
            f"{over.difference:+.1f} [{over.low:+.1f}, {over.high:+.1f}] | {over.p_holm:.2g} |"
        )
    return "\n".join(lines)


def trade_offs() -> str:
    """Say what macro-F1 does not: mean macro precision, macro recall and MCC over detectors and seeds."""
    metrics = {"macro_precision": "precision", "macro_recall": "recall", "mcc": "MCC"}
    header = [f"{title} {name}" for title in metrics.values() for name in COLOURS]
    lines = [f"| % | {' | '.join(header)} |", f"|---|{'---:|' * len(header)}"]
    for name, (scores, _, results) in settings().items():
        own = results[results["seed"].isin(scores.index)]
        means = 100 * own.groupby("augmenter")[list(metrics)].mean()
        cells = [f"{means[metric][each]:.1f}" for metric in metrics for each in COLOURS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def figure() -> Figure:
    """Every seed as a point, the mean as a bar; a panel for each table and number of shots."""
    found = settings()
    lines = -(-len(found) // PANELS)
    drawn = Figure(figsize=(2.6 * PANELS, 3 * lines), layout="constrained")
    panels = drawn.subplots(lines, PANELS, squeeze=False).ravel()
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    for axes, (title, (scores, _, _)) in zip(panels, found.items(), strict=False):
        for i, (name, colour) in enumerate(COLOURS.items()):
            values = np.sort(scores[name])
            axes.plot(i + np.linspace(-0.18, 0.18, len(values)), values, "o", color=colour, alpha=0.6, ms=4)
            axes.hlines(values.mean(), i - 0.3, i + 0.3, color=colour, linewidth=2.5)
            axes.annotate(f"{values.mean():.1f}", (i + 0.32, values.mean()), va="center", fontsize=8)
        axes.set_xticks(range(len(COLOURS)), list(COLOURS))
        axes.set_xlim(-0.5, len(COLOURS) - 0.2)
        axes.set_title(title, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    drawn.supylabel("macro F1, %", fontsize=10)
    return drawn


def main() -> None:
    if sys.argv[1:] == ["--report"]:
        print(trade_offs())
        return
    figure().savefig(FOLDER / "summary.png", dpi=130)
    print(markdown())


if __name__ == "__main__":
    main()
