"""A benchmark's results as tables, the first in the layout of the paper's Tables 3 and 4.

Markdown for people; of the main ones a frame too, for programs. Every function takes frames of one number of
shots, as `rareflow benchmark` keeps them: ``results`` has a row a seed, augmenter and detector, ``classes`` a
row a seed, augmenter and class. Augmenters and detectors stand in the order in which the frame has them. A
figure that the seeds do not allow is ``-``.
"""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING, Any

import pandas as pd

from rareflow.evaluation.comparison import RAW
from rareflow.evaluation.published import METRICS
from rareflow.evaluation.statistics import average_ranks, best_others, compare_each, scores_by_seed
from rareflow.markdown import grid

if TYPE_CHECKING:
    from collections.abc import Hashable

    from rareflow.evaluation.published import PublishedTable

__all__ = [
    "amount_table",
    "class_table",
    "comparison_frame",
    "comparison_table",
    "fidelity_table",
    "macro_frame",
    "macro_table",
]

NOTHING = "-"
_TITLES = {"macro_precision": "precision", "macro_recall": "recall", "macro_f1": "F1"}


def macro_frame(results: pd.DataFrame, published: PublishedTable | None = None) -> pd.DataFrame:
    """Give macro precision, recall and F1 in percent, a row an augmenter, metric and detector.

    Parameters
    ----------
    results
        The results of one number of shots.
    published
        The paper's figures of the same data; augmenters that have no results come last.

    Returns
    -------
    DataFrame
        Columns ``augmenter``, ``metric``, ``detector``, ``mean`` and ``sd`` over the seeds, ``published``;
        NaN where there is no figure.
    """
    figures = published.figures if published else {}
    names = list(dict.fromkeys([*results["augmenter"], *figures]))
    keys = pd.MultiIndex.from_product(
        [names, METRICS, dict.fromkeys(results["detector"])], names=["augmenter", "metric", "detector"]
    )
    percent = 100 * results.set_index(["augmenter", "detector"])[list(METRICS)]
    by_detector = percent.groupby(level=[0, 1]).agg(["mean", "std"])
    long = pd.DataFrame(by_detector.stack(0))  # noqa: PD013 - melt knows one level
    found = long.reorder_levels([0, 2, 1]).reindex(keys).rename(columns={"std": "sd"})
    found["published"] = [
        published.value(name, detector, metric) if published and name in figures else nan
        for name, metric, detector in keys
    ]
    return found.reset_index()


def macro_table(results: pd.DataFrame, published: PublishedTable | None = None) -> str:
    """Write `macro_frame` in the paper's layout, mean ± standard deviation over the seeds.

    Published figures stand in a row below ours.
    """
    frame = macro_frame(results, published)
    columns = frame[["metric", "detector"]].drop_duplicates().itertuples(index=False)
    header = ["macro avg, %", *(f"{_TITLES[metric]} {_short(detector)}" for metric, detector in columns)]
    rows = []
    for name, own in frame.groupby("augmenter", sort=False):
        if own["mean"].notna().any():
            rows.append([name, *map(_mean_sd, own["mean"], own["sd"])])
        if published and name in published.figures:
            rows.append([f"*{name}, published*", *(_figure(value, 2) for value in own["published"])])
    return grid(header, rows)


def class_table(classes: pd.DataFrame) -> str:
    """Write each class's test rows and its F1 in percent, mean over detectors and seeds, the rarest first."""
    augmenters = list(dict.fromkeys(classes["augmenter"]))
    support = classes.groupby("class", sort=False)["support"].agg(["min", "max"]).sort_values(["max", "min"])
    means = 100 * classes.groupby(["class", "augmenter"], sort=False)["f1"].mean()
    rows = [
        [
            str(name),
            _span(least, most),
            *(_figure(means.get((name, augmenter)), 1) for augmenter in augmenters),
        ]
        for name, least, most in support.itertuples()
    ]
    return grid(["F1, %", "test rows", *augmenters], rows)


def comparison_frame(results: pd.DataFrame, *, tested: bool = True) -> pd.DataFrame:
    """Give what each augmenter gains over RAW and over the best of the others, seed by seed.

    Parameters
    ----------
    results
        The results of one number of shots.
    tested
        As in `compare_each`.

    Returns
    -------
    DataFrame
        A row an augmenter: ``augmenter``, ``seeds``; ``mean`` and ``sd`` over the seeds of macro-F1, the mean
        over the detectors, in percent; ``over_raw`` and ``over_best``, differences in points, with their 95 %
        t interval ``_low`` to ``_high`` and ``_p``, Wilcoxon's signed-rank test's after Holm's correction
        over the column; ``best_other``; ``rank``, the mean over the seeds of the augmenters that are
        comparable. NaN where there is no figure.
    """
    scores = scores_by_seed(results)
    others = best_others(scores)
    found = {
        "over_raw": compare_each(scores, dict.fromkeys(scores.columns, RAW), tested=tested),
        "over_best": compare_each(scores, others, tested=tested),
    }
    ranks = ranked.ranks.to_dict() if (ranked := average_ranks(scores)) else {}
    rows = []
    for name, own in scores.items():
        row = {"augmenter": name, "seeds": own.count(), "mean": own.mean(), "sd": own.std()}
        row["best_other"] = others.get(str(name), "")
        for key, each in found.items():
            paired = each.get(str(name))
            values = (paired.difference, paired.low, paired.high, paired.p_holm) if paired else (nan,) * 4
            row |= dict(zip((key, f"{key}_low", f"{key}_high", f"{key}_p"), values, strict=True))
        rows.append(row | {"rank": ranks.get(str(name), nan)})
    return pd.DataFrame(rows)


def comparison_table(results: pd.DataFrame, *, tested: bool = True) -> str:
    """Write `comparison_frame`; where a seed lacks an augmenter, each has its number of seeds beside it."""
    frame = comparison_frame(results, tested=tested)
    counted = frame["seeds"].min() < results["seed"].nunique()
    header = ["augmenter", *(["seeds"] if counted else []), "macro F1, %"]
    header += [f"over {RAW}", "p", "best other", "over it", "p", "rank"]
    rows = [
        [
            row["augmenter"],
            *([str(row["seeds"])] if counted else []),
            _mean_sd(row["mean"], row["sd"]),
            *_gain(row, "over_raw"),
            row["best_other"] or NOTHING,
            *_gain(row, "over_best"),
            _figure(row["rank"], 2),
        ]
        for row in frame.to_dict("records")
    ]
    return grid(header, rows)


def amount_table(results: pd.DataFrame) -> str:
    """Write the amounts that were chosen (median over seeds) and the seconds of a cell (mean)."""
    # A cell's amount and seconds stand with each of its detectors.
    cells = results.drop_duplicates(["augmenter", "seed"]).groupby("augmenter", sort=False)
    rows = [
        [str(augmenter), _figure(own["amount"].median(), 2), _figure(own["seconds"].mean(), 1)]
        for augmenter, own in cells
    ]
    return grid(["augmenter", "amount", "seconds a cell"], rows)


def fidelity_table(fidelity: pd.DataFrame, results: pd.DataFrame) -> str:
    """Write how near forged rows are to real ones, a row an augmenter and class.

    A row is the mean of the seeds in which the augmenter forged. Where these are not all seeds, for whatever
    augmenter, each row has its number of them.

    Parameters
    ----------
    fidelity
        The rows that were forged with one number of shots, a row a seed, augmenter and class.
    results
        The results of the same number of shots, in whose order the augmenters stand.
    """
    keys = ["augmenter", "class"]
    figures = [name for name in fidelity.columns if name not in {"table", "split", "shots", "seed", *keys}]
    order = list(dict.fromkeys(results["augmenter"]))
    placed = fidelity.sort_values("augmenter", key=lambda names: names.map(order.index), kind="stable")
    groups = placed.groupby(keys, sort=False)
    means, seeds = groups[figures].mean(), groups["seed"].nunique()
    counted = (seeds < results["seed"].nunique()).any()
    rows = []
    for (augmenter, label), row in zip(means.index, means.to_dict("records"), strict=True):
        values = (_figure(value, 0 if str(name).endswith("_rows") else 3) for name, value in row.items())
        count = [str(seeds[augmenter, label])] if counted else []
        rows.append([augmenter, label, *count, *values])
    return grid([*keys, *(["seeds"] if counted else []), *(name.replace("_", " ") for name in figures)], rows)


def _mean_sd(mean: float, sd: float) -> str:
    """Write a mean and a standard deviation, which one value has not."""
    return NOTHING if isnan(mean) else f"{mean:.2f} ± {_figure(sd, 2)}"


def _figure(value: float | None, digits: int) -> str:
    """Write a figure, or that there is none."""
    return NOTHING if value is None or isnan(value) else f"{value:,.{digits}f}"


def _gain(row: dict[Hashable, Any], key: str) -> tuple[str, str]:
    """Write a difference with its interval, and its p."""
    difference, low, high, p = (row[f"{key}{end}"] for end in ("", "_low", "_high", "_p"))
    if isnan(difference):
        return NOTHING, NOTHING
    if isnan(low):
        return f"{difference:+.2f} [{NOTHING}]", NOTHING
    return f"{difference:+.2f} [{low:+.2f}, {high:+.2f}]", f"{p:.3g}"


def _span(least: int, most: int) -> str:
    """Write a number of rows that may differ between seeds."""
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"


def _short(detector: str) -> str:
    """Name a detector as the paper does; one by its import path, by its class."""
    return detector.rpartition(".")[2] if "." in detector else detector.upper()
