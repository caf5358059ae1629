"""Figures of a benchmark: scarcity curves, paired differences, classes before and after.

Drawn without pyplot's global state, in the colour-blind safe colours of Okabe and Ito.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from rareflow.evaluation.comparison import OURS, RAW
from rareflow.evaluation.plots import AFTER, BEFORE, INK, bare, literal
from rareflow.evaluation.statistics import scores_by_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rareflow.evaluation.statistics import Paired

__all__ = ["class_figure", "forest_figure", "scarcity_figure"]

_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#8c6d00", "#000000")
_LINES = ("o-", "s--", "^:", "D-.")  # of an augmenter with one number of shots only the marker is seen
_LEVEL = 0.05


def scarcity_figure(results: pd.DataFrame) -> Figure:
    """Draw macro-F1 over the training rows of the rare classes, a line an augmenter.

    RAW, rareflow and the best of the others have a band of one standard deviation over the seeds, and are
    named in the title; a band for each would hide them all.

    Parameters
    ----------
    results
        The results of all numbers of shots, a row a shots, seed, augmenter and detector; shots as text, in
        the order of the axis. One seed has no band, nor has one number of shots.
    """
    settings = list(dict.fromkeys(results["shots"]))
    names = list(dict.fromkeys(results["augmenter"]))
    scores = {shots: scores_by_seed(results[results["shots"] == shots]) for shots in settings}
    mean, deviation = (
        pd.DataFrame({shots: each.agg(figure) for shots, each in scores.items()}, index=names)
        for figure in ("mean", "std")
    )
    chosen = {RAW, OURS, *_best_other(mean)}
    banded = [name for name in names if name in chosen and deviation.loc[name].count() > 1]
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(settings))
    for name in names:
        line, half = mean.loc[name].to_numpy(), deviation.loc[name].to_numpy()
        colour, form, width = _line_style(name, names)
        axes.plot(at, line, form, color=colour, linewidth=width, markersize=4, label=name)
        if name in banded:
            axes.fill_between(at, line - half, line + half, color=colour, alpha=0.1, linewidth=0)
    axes.set_xticks(at, settings)
    axes.set_xlim(-0.3, len(settings) - 0.7)
    axes.set_xlabel("Training rows of each class but the largest")
    axes.set_ylabel("Macro F1, mean over detectors")
    if banded:
        title = f"Bands of one standard deviation over the seeds: {', '.join(banded)}"
        axes.set_title(title, fontsize="medium")
    axes.yaxis.set_major_formatter(PercentFormatter(100))
    bare(axes, "y")
    figure.legend(loc="outside right center", frameon=False)
    return literal(figure)


def forest_figure(comparisons: Sequence[Paired], title: str) -> Figure:
    """Draw paired differences with their 95 % intervals, filled where Holm's correction leaves p below 0.05.

    Parameters
    ----------
    comparisons
        In percentage points, from the top to the bottom; one whose interval is NaN has a point alone.
    title
        The figure's title.
    """
    figure = Figure(figsize=(7.5, 1.4 + 0.36 * len(comparisons)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=INK, linewidth=1)
    for place, each in enumerate(comparisons):
        colour = AFTER if each.augmenter == OURS else INK
        filled = colour if each.p_holm < _LEVEL else "white"
        if not isnan(each.low):
            axes.hlines(place, each.low, each.high, color=colour, linewidth=1.5)
        axes.plot(each.difference, place, "o", color=colour, markerfacecolor=filled, markersize=6)
    names = [f"{each.augmenter} \N{MINUS SIGN} {each.reference}" for each in comparisons]
    axes.set_yticks(range(len(comparisons)), names)
    axes.set_ylim(len(comparisons) - 0.5, -0.5)
    has_intervals = not all(isnan(each.low) for each in comparisons)
    proof = "95 % interval (filled: p < 0.05 after Holm)" if has_intervals else "without an interval"
    # Below the whole figure: long names at the left leave the axes too narrow for it.
    figure.supxlabel(f"Difference of macro F1 in points, {proof}", fontsize="medium")
    axes.set_title(title)
    bare(axes)
    return literal(figure)


def class_figure(classes: pd.DataFrame, before: str, after: str, title: str) -> Figure:
    """Draw each class's F1 with one augmenter and with another, the rarest class at the top.

    Parameters
    ----------
    classes
        The classes of one number of shots, a row a seed, augmenter and class; F1 in 0..1, NaN unscored.
    before, after
        Two of its augmenters. The mark is the mean over seeds, the thin line reaches from the least to the
        largest of them.
    title
        The figure's title.
    """
    support = classes.groupby("class", sort=False)["support"].max().sort_values(kind="stable")
    places = np.arange(len(support))
    figure = Figure(figsize=(7, 1.6 + 0.42 * len(support)), layout="constrained")
    axes = figure.subplots()
    for name, shift, colour in ((before, -0.14, BEFORE), (after, 0.14, AFTER)):
        of_class = classes[classes["augmenter"] == name].groupby("class")["f1"]
        seen = of_class.agg(["mean", "min", "max"]).reindex(support.index).to_numpy(dtype=np.float64)
        axes.hlines(places + shift, seen[:, 1], seen[:, 2], color=colour, linewidth=1.5)
        axes.plot(seen[:, 0], places + shift, "o", color=colour, markersize=6, label=name)
    axes.set_yticks(places, [f"{label} ({rows:,})" for label, rows in support.items()])
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("F1, mean over detectors and seeds (line: range over seeds)")
    axes.set_ylabel("Class (test rows)")
    axes.set_title(title)
    bare(axes)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return literal(figure)


def _best_other(mean: pd.DataFrame) -> list[str]:
    """Name the best augmenter beside RAW and ours by the mean over the shots of ours, if there is one.

    More shots score more, so only those are held against each other that have most of these shots.

    Parameters
    ----------
    mean
        Scores, a row an augmenter, a column a number of shots, NaN where it did not run.
    """
    shots = mean[mean.index == OURS].dropna(axis=1).columns
    others = mean.drop(index=[RAW, OURS], errors="ignore")[shots].dropna(how="all")
    held = others.count(axis=1)
    return [] if others.empty else [str(others.mean(axis=1)[held == held.max()].idxmax())]


def _line_style(name: str, names: list[str]) -> tuple[str, str, float]:
    """Give an augmenter's colour, marker with dashes, and width: the table as it is and ours stand out."""
    if name in {RAW, OURS}:
        return (INK if name == RAW else AFTER), _LINES[0], 2.5
    place = [each for each in names if each not in {RAW, OURS}].index(name)
    return _COLOURS[place % len(_COLOURS)], _LINES[place // len(_COLOURS) % len(_LINES)], 1.3
