"""Figures of scores and of training, drawn without pyplot's global state, in colour-blind safe colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter, PercentFormatter

from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from rareflow.evaluation.metrics import Scores

__all__ = [
    "AFTER",
    "BEFORE",
    "INK",
    "bare",
    "confusion_figure",
    "literal",
    "loss_curves_figure",
    "per_class_f1_figure",
]

BEFORE, AFTER, INK = "#b3b8bf", "#0072b2", "#333333"
"""Colours of every figure: what was before, what is after (the blue of Okabe and Ito), what is written."""

_DETECTOR_NAMES = {"xgb": "XGBoost", "rf": "Random forest", "dt": "Decision tree"}
_CURVES = {
    "critic": "Critic loss",
    "generator": "Generator loss",
    "gradient_penalty": "Gradient penalty",
    "reconstruction": "Reconstruction loss",
    "kl": "KL divergence (nats)",
}
_SMOOTHING = 50  # a curve of more than this many points is also drawn as a mean over as many windows


def confusion_figure(scores: Scores, title: str) -> Figure:
    """Draw the confusion matrix: colour is the share of the true class, the number its rows.

    Parameters
    ----------
    scores
        The scores of one detector.
    title
        The figure's title.
    """
    counts = scores.confusion
    n = len(scores.labels)
    support = counts.sum(axis=1)
    shares = counts / np.maximum(support, 1)[:, None]
    figure = Figure(figsize=(4 + 0.5 * n, 2.6 + 0.5 * n), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in zip(*np.nonzero(counts), strict=True):
        ink = "white" if shares[i, j] > 0.6 else INK  # noqa: PLR2004 - where Blues turns dark
        axes.text(j, i, _cell(counts[i, j], shares[i, j]), ha="center", va="center", color=ink, fontsize=7)
    axes.set_xticks(range(n), scores.labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(
        range(n), [f"{label} ({rows:,})" for label, rows in zip(scores.labels, support, strict=True)]
    )
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class (test rows)")
    axes.set_title(title)
    axes.set_xticks(np.arange(n) - 0.5, minor=True)
    axes.set_yticks(np.arange(n) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, format=PercentFormatter(1, decimals=0))
    bar.set_label("Share of the true class")
    bar.outline.set_visible(False)
    return literal(figure)


def per_class_f1_figure(before: Mapping[str, Scores], after: Mapping[str, Scores], title: str) -> Figure:
    """Draw each class's F1 before and after augmentation, one panel a detector, the rarest class at the top.

    Parameters
    ----------
    before, after
        Scores by detector, for the same detectors on the same test part.
    title
        The figure's title.

    Raises
    ------
    DataError
        If the two hold different detectors, or none.
    """
    if not before or set(before) != set(after):
        raise DataError(
            f"the scores before are of the detectors {sorted(before)}, those after of {sorted(after)}; "
            "score the same ones"
        )
    per_class = next(iter(before.values())).per_class
    order = sorted(per_class, key=lambda label: (per_class[label].support, label))
    figure = Figure(figsize=(3 + 2.6 * len(before), 1.6 + 0.42 * len(order)), layout="constrained")
    panels = figure.subplots(1, len(before), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, before, strict=True):
        _f1_panel(axes, before[name], after[name], order)
        axes.set_title(_DETECTOR_NAMES.get(name, name), fontsize=10)
    panels[0].set_yticks(range(len(order)), [f"{label} ({per_class[label].support:,})" for label in order])
    panels[0].invert_yaxis()
    panels[0].set_ylabel("Class (test rows)")
    figure.suptitle(title)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return literal(figure)


def loss_curves_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """Draw the losses over the training steps, one panel a loss.

    Parameters
    ----------
    history
        One mapping a logged step, with ``step`` and any of ``critic``, ``generator``, ``gradient_penalty``,
        ``reconstruction``, ``kl``; a step may lack some, or hold NaN for them.

    Raises
    ------
    DataError
        If no step holds any of these losses.
    """
    curves = {name: [row for row in history if np.isfinite(row.get(name, np.nan))] for name in _CURVES}
    curves = {name: rows for name, rows in curves.items() if rows}
    if not curves:
        raise DataError(
            f"the history holds none of the losses {', '.join(_CURVES)}; there is nothing to draw"
        )
    figure = Figure(figsize=(7, 0.6 + 1.5 * len(curves)), layout="constrained")
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, rows) in zip(panels, curves.items(), strict=True):
        steps = np.array([row["step"] for row in rows], dtype=np.float64)
        _curve(axes, steps, np.array([row[name] for row in rows], dtype=np.float64))
        axes.set_title(_CURVES[name], loc="left", fontsize=10)
        bare(axes)
    panels[-1].set_xlabel("Generator step")
    panels[-1].xaxis.set_major_formatter(EngFormatter(sep=""))
    return figure


def _cell(count: int, share: float) -> str:
    """Write a cell's rows above its share, in little room; what is not 0 % or 100 % never reads so."""
    rows = f"{count:,}" if count < 100_000 else f"{count / 1000:,.0f}k"  # noqa: PLR2004 - what a cell holds
    if share < 0.005:  # noqa: PLR2004 - half a percent
        return rows
    return f"{rows}\n>99%" if 0.995 <= share < 1 else f"{rows}\n{share:.0%}"  # noqa: PLR2004


def _f1_panel(axes: Axes, before: Scores, after: Scores, order: list[str]) -> None:
    """Draw one detector's pairs of bars; an unscored class has none."""
    places = np.arange(len(order))
    for scores, shift, colour, name in ((before, -0.2, BEFORE, "before"), (after, 0.2, AFTER, "after")):
        values = np.array([scores.per_class[label].f1 for label in order])
        axes.barh(places + shift, values, height=0.38, color=colour, label=f"{name} augmentation")
        for place, value in zip(places + shift, values, strict=True):
            written = "not scored" if np.isnan(value) else f"{value:.1%}"
            axes.text(np.nan_to_num(value) + 0.01, place, written, va="center", fontsize=7, color=INK)
    axes.set_xlim(0, 1.2)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(f"F1 (macro {before.macro_f1:.1%} \N{RIGHTWARDS ARROW} {after.macro_f1:.1%})")
    axes.tick_params(axis="y", length=0)
    bare(axes)


def _curve(axes: Axes, steps: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Draw a loss; a long one pale, with its windowed mean above."""
    if len(values) <= _SMOOTHING:
        axes.plot(steps, values, color=AFTER, linewidth=1.5)
        return
    axes.plot(steps, values, color=BEFORE, linewidth=0.7)
    windows = np.array_split(np.arange(len(values)), _SMOOTHING)
    means: list[Any] = [(steps[window].mean(), values[window].mean()) for window in windows]
    axes.plot(*zip(*means, strict=True), color=AFTER, linewidth=1.5)


def bare(axes: Axes, grid: Literal["x", "y"] = "x") -> None:
    """Leave the axes only what is read: light lines behind, no frame."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis=grid, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def literal(figure: Figure) -> Figure:
    """Have a finished figure's texts drawn as they are: dollars in a class's name make no formula of it.

    The ticks that an axis writes itself, once it is drawn, stay formulas.
    """
    for text in figure.findobj(Text):
        if "$" in text.get_text():
            text.set_parse_math(False)
    return figure
