"""A benchmark's results as Markdown tables, the first in the layout of the paper's Tables 3 and 4.

Every function takes frames of one number of shots, as `rareflow benchmark` keeps them: ``results`` has a row
a seed, augmenter and detector, ``classes`` a row a seed, augmenter and class. Augmenters and detectors stand
in the order in which the frame has them. A figure that the seeds do not allow is ``-``.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from rareflow.evaluation.comparison import RAW
from rareflow.evaluation.published import METRICS
from rareflow.evaluation.statistics import average_ranks, best_others, compare_each, scores_by_seed
from rareflow.markdown import grid

if TYPE_CHECKING:
    import pandas as pd

    from rareflow.evaluation.published import PublishedTable
    from rareflow.evaluation.statistics import Paired

__all__ = [
    "amount_table",
    "class_table",
    "comparison_table",
    "fidelity_table",
    "macro_table",
]

NOTHING = "-"
_TITLES = {"macro_precision": "precision", "macro_recall": "recall", "macro_f1": "F1"}


def macro_table(results: pd.DataFrame, published: PublishedTable | None = None) -> str:
    """Write macro precision, recall and F1 by detector in percent, mean ± standard deviation over the seeds.

    Parameters
    ----------
    results
        The results of one number of shots.
    published
        The paper's figures of the same data; each augmenter's stand in a row below ours, and at the end those
        of augmenters that have no results.
    """
    detectors = list(dict.fromkeys(results["detector"]))
    columns = [(metric, detector) for metric in METRICS for detector in detectors]
    header = ["macro avg, %", *(f"{_TITLES[metric]} {_short(name)}" for metric, name in columns)]
    ours = dict(iter(results.groupby("augmenter", sort=False)))
    rows = []
    for name in dict.fromkeys([*ours, *(published.figures if published else ())]):
        if name in ours:
            own = ours[name]
            cells = [_mean_sd(own.loc[own["detector"] == detector, metric]) for metric, detector in columns]
            rows.append([name, *cells])
        if published and name in published.figures:
            values = [published.value(name, detector, metric) for metric, detector in columns]
            rows.append([f"*{name}, published*", *(_figure(value, 2) for value in values)])
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


def comparison_table(results: pd.DataFrame, *, tested: bool = True) -> str:
    """Write what each augmenter gains over RAW and over the best of the others, seed by seed.

    Macro-F1 is the mean over the detectors, in percent. Differences are in points, with their 95 % t
    interval and the p of Wilcoxon's signed-rank test after Holm's correction over the column. The rank is the
    mean over the seeds of the augmenters that are comparable. Where a seed lacks an augmenter, each has its
    number of seeds beside it.

    Parameters
    ----------
    results
        The results of one number of shots.
    tested
        As in `compare_each`.
    """
    scores = scores_by_seed(results)
    over_raw = compare_each(scores, dict.fromkeys(scores.columns, RAW), tested=tested)
    over_best = compare_each(scores, best_others(scores), tested=tested)
    ranks = ranked.ranks.to_dict() if (ranked := average_ranks(scores)) else {}
    seeds = scores.count() if scores.isna().any(axis=None) else None
    header = ["augmenter", *([] if seeds is None else ["seeds"]), "macro F1, %"]
    header += [f"over {RAW}", "p", "best other", "over it", "p", "rank"]
    rows = [
        [
            name,
            *([] if seeds is None else [str(seeds[name])]),
            _mean_sd(scores[name] / 100),
            *_gain(over_raw.get(name)),
            over_best[name].reference if name in over_best else NOTHING,
            *_gain(over_best.get(name)),
            _figure(ranks.get(name), 2),
        ]
        for name in scores.columns
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


def _mean_sd(fractions: pd.Series) -> str:
    """Write a mean and a standard deviation in percent."""
    values = 100 * fractions.dropna().to_numpy(dtype=np.float64)
    if not len(values):
        return NOTHING
    return (
        f"{values.mean():.2f} ± {values.std(ddof=1):.2f}" if len(values) > 1 else f"{values.mean():.2f} ± -"
    )


def _figure(value: float | None, digits: int) -> str:
    """Write a figure, or that there is none."""
    return NOTHING if value is None or isnan(value) else f"{value:,.{digits}f}"


def _gain(found: Paired | None) -> tuple[str, str]:
    """Write a difference with its interval, and its p."""
    if found is None:
        return NOTHING, NOTHING
    if isnan(found.low):
        return f"{found.difference:+.2f} [{NOTHING}]", NOTHING
    return f"{found.difference:+.2f} [{found.low:+.2f}, {found.high:+.2f}]", f"{found.p_holm:.3g}"


def _span(least: int, most: int) -> str:
    """Write a number of rows that may differ between seeds."""
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"


def _short(detector: str) -> str:
    """Name a detector as the paper does; one by its import path, by its class."""
    return detector.rpartition(".")[2] if "." in detector else detector.upper()
