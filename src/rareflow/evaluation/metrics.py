"""Macro scores of a detector: every class weighs the same, however few its rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, matthews_corrcoef, precision_recall_fscore_support

from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ClassScore", "Scores", "mean_summary", "score"]


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found.

    Parameters
    ----------
    precision, recall, f1
        Fractions in 0..1; NaN where the class has no row to be scored on. Precision and F1 are 0, by the
        field's convention, for a class that has rows but is never predicted.
    support
        True rows of the class.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of one detector on one test part.

    The macro averages (Eq. 9-11 of the paper) run over the classes with at least one true row. A class
    without one cannot be scored and stays out of them; rows wrongly given to it still cost their own class
    recall.

    Parameters
    ----------
    macro_precision, macro_recall, macro_f1
        Fractions in 0..1. ``macro_recall`` is what goes by the name of balanced accuracy, too.
    mcc
        Matthews' correlation coefficient, in -1..1; NaN if only one class has rows, 0 by convention if only
        one is predicted.
    per_class
        One entry a label.
    labels
        The classes in the order of ``confusion``.
    confusion
        Shape ``(classes, classes)``: rows of the true class (row) that were given the class of the column.
    """

    macro_precision: float
    macro_recall: float
    macro_f1: float
    mcc: float
    per_class: dict[str, ClassScore]
    labels: tuple[str, ...]
    confusion: NDArray[np.int64]

    def summary(self) -> dict[str, float]:
        """Give the scalar metrics by name, as a tracker logs them."""
        return {
            "macro_precision": self.macro_precision,
            "macro_recall": self.macro_recall,
            "macro_f1": self.macro_f1,
            "mcc": self.mcc,
        }

    def to_frame(self) -> pd.DataFrame:
        """Give the per-class scores, one row a class: precision, recall, f1, support."""
        frame = pd.DataFrame([vars(self.per_class[label]) for label in self.labels])
        return frame.set_index(pd.Index(self.labels, name="class"))


def score(y_true: NDArray[Any], y_pred: NDArray[Any], *, labels: Sequence[str]) -> Scores:
    """Score predicted against true labels.

    Parameters
    ----------
    y_true, y_pred
        Labels as text, shape ``(rows,)`` each.
    labels
        Every class that may occur, each once, in the order wanted for tables and figures.

    Raises
    ------
    DataError
        If there is no row, the two differ in length, or a label is not among ``labels``.
    """
    if len(y_true) == 0:
        raise DataError("there is no row to score: y_true is empty; give the test part at least one row")
    if len(y_true) != len(y_pred):
        raise DataError(f"{len(y_true)} true labels cannot be scored against {len(y_pred)} predictions")
    true, predicted = _codes("y_true", y_true, labels), _codes("y_pred", y_pred, labels)
    every = np.arange(len(labels))
    columns = precision_recall_fscore_support(true, predicted, labels=every, zero_division=0.0)
    precision, recall, f1, support = columns
    scored = support > 0
    return Scores(
        macro_precision=float(precision[scored].mean()),
        macro_recall=float(recall[scored].mean()),
        macro_f1=float(f1[scored].mean()),
        mcc=float(matthews_corrcoef(true, predicted)) if scored.sum() > 1 else nan,
        per_class={label: _class_score(*row) for label, *row in zip(labels, *columns, strict=True)},
        labels=tuple(labels),
        confusion=confusion_matrix(true, predicted, labels=every).astype(np.int64),
    )


def mean_summary(repeats: Sequence[Scores]) -> dict[str, float]:
    """Average each scalar metric over repeats (seeds, folds or detectors).

    Raises
    ------
    DataError
        If there is no repeat.
    """
    if not repeats:
        raise DataError("there is nothing to average: the list of scores is empty")
    summaries = [scores.summary() for scores in repeats]
    return {name: float(np.mean([summary[name] for summary in summaries])) for name in summaries[0]}


def _codes(what: str, values: NDArray[Any], labels: Sequence[str]) -> NDArray[np.intp]:
    """Give each label's position in ``labels``, shape ``(rows,)``."""
    codes: NDArray[np.intp] = pd.Index(list(labels), dtype="object").get_indexer(
        pd.Index(values, dtype="object")
    )
    if (codes < 0).any():
        stranger = values[int(np.argmax(codes < 0))]
        raise DataError(f"{what} holds the label {stranger!r}, which is not among the labels {list(labels)}")
    return codes


def _class_score(precision: float, recall: float, f1: float, support: int) -> ClassScore:
    if support == 0:
        return ClassScore(nan, nan, nan, 0)
    return ClassScore(float(precision), float(recall), float(f1), int(support))
