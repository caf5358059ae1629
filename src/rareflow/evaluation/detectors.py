"""Detectors judge a training table: XGBoost, a random forest, a decision tree, as in the paper, or others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from rareflow.data.dtypes import LARGEST
from rareflow.errors import ConfigError, DataError
from rareflow.evaluation.classifiers import DETECTORS, check_detectors, fit_predict
from rareflow.evaluation.metrics import Scores, score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["DETECTORS", "FeatureEncoder", "evaluate_detectors", "mean_macro_f1"]


@dataclass(frozen=True)
class FeatureEncoder:
    """Turn a feature frame into one float32 matrix that every tree reads.

    Numbers and booleans pass through, clipped to the finite range of float32; a missing one stays NaN, which
    the three detectors split on natively. Any other column becomes one 0/1 column a category; a missing
    value, or a category that was not there at `fit`, is 0 in all of them.

    Parameters
    ----------
    categories
        By column, in order: the categories seen, or ``None`` for a numeric column.
    """

    categories: dict[str, pd.Index | None]

    @classmethod
    def fit(cls, X: pd.DataFrame) -> FeatureEncoder:
        """Read the columns and their categories off the training part, shape ``(rows, columns)``."""
        return cls(
            {name: None if is_numeric_dtype(X[name].dtype) else _categories(X[name]) for name in X.columns}
        )

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Encode rows, shape ``(rows, encoded columns)``; columns are found by name.

        Raises
        ------
        DataError
            If a column of the training part is missing.
        """
        if lacking := [name for name in self.categories if name not in X.columns]:
            raise DataError(
                f"column {lacking[0]!r} of the training rows is missing; give both parts the same columns"
            )
        widths = [1 if known is None else len(known) for known in self.categories.values()]
        matrix = np.zeros((len(X), sum(widths)), dtype=np.float32, order="F")  # trees read column by column
        start = 0
        for (name, known), width in zip(self.categories.items(), widths, strict=True):
            if known is None:
                numbers = X[name].to_numpy(dtype=np.float64, na_value=np.nan)
                matrix[:, start] = np.clip(numbers, -LARGEST, LARGEST)
            else:
                codes = known.get_indexer(pd.Index(X[name].astype(object)))
                rows = np.flatnonzero(codes >= 0)
                matrix[rows, start + codes[rows]] = 1.0
            start += width
        return matrix


def evaluate_detectors(
    train_X: pd.DataFrame,
    train_y: NDArray[Any],
    test_X: pd.DataFrame,
    test_y: NDArray[Any],
    *,
    labels: Sequence[str],
    detectors: Sequence[str] = DETECTORS,
    weight: NDArray[np.float64] | None = None,
    odds: Mapping[str, float] | None = None,
    seed: int,
    n_threads: int = 1,
    on_score: Callable[[str, Scores], None] = lambda _name, _scores: None,
) -> dict[str, Scores]:
    """Train each detector on one table and score it on another.

    The detectors stand at their library's defaults. The same seed and thread count give the same bits.

    Parameters
    ----------
    train_X, test_X
        Feature frames, shape ``(rows, columns)``; the test rows influence nothing that is learned.
    train_y, test_y
        Labels as text, shape ``(rows,)``.
    labels
        Every class that may occur, in the order wanted for tables and figures.
    detectors
        Which of `DETECTORS` to train, or import paths of scikit-learn classifiers.
    weight
        How much each training row counts, above 0, shape ``(rows,)``; ``None``: all the same.
    odds
        Factor on the probability of a class, above 0, before the largest one wins; 1 for a class not named.
    seed
        Seed of every detector's own randomness.
    n_threads
        Threads that one detector may use, at least 1.
    on_score
        Called with each detector's name and scores as soon as they are known; raise there to leave out the
        detectors that follow.

    Returns
    -------
    dict
        The scores by detector, in the order of ``detectors``.

    Raises
    ------
    ConfigError
        If a detector is unknown or cannot take weights or odds (see `check_detectors`), or odds are not
        finite and above 0.
    DataError
        If a part has no row, features, labels and weights differ in length, the test part lacks a column, or
        a label is not among ``labels``.
    """
    _check_part("training", train_X, train_y)
    _check_part("test", test_X, test_y)
    if weight is not None and len(weight) != len(train_y):
        raise DataError(f"the training part has {len(train_y)} rows but {len(weight)} weights")
    codes, classes = pd.factorize(np.asarray(train_y, dtype=object), sort=True)
    factors = _factors(odds, classes, labels)
    check_detectors(detectors, weights=weight is not None, odds=factors is not None)
    encoder = FeatureEncoder.fit(train_X)
    train, test = encoder.transform(train_X), encoder.transform(test_X)
    scores = {}
    for name in detectors:
        predicted = fit_predict(
            name, train, codes, test, weight=weight, odds=factors, seed=seed, n_threads=n_threads
        )
        scores[name] = score(test_y, classes[predicted], labels=labels)
        on_score(name, scores[name])
    return scores


def mean_macro_f1(scores: Mapping[str, Scores]) -> float:
    """Average macro-F1 over the detectors, in 0..1: what a study maximises."""
    return float(np.mean([each.macro_f1 for each in scores.values()]))


def _factors(
    odds: Mapping[str, float] | None, classes: NDArray[Any], labels: Sequence[str]
) -> NDArray[np.float64] | None:
    """Give the factor on the probability of each class, ``(classes,)``; ``None`` if all are 1."""
    for label, factor in (odds or {}).items():
        if label not in labels:
            raise DataError(f"odds name the class {label!r}, which is not among the labels {list(labels)}")
        if not 0 < factor < np.inf:
            raise ConfigError(f"the odds of class {label!r} must be a finite number above 0, not {factor}")
    factors = np.array([(odds or {}).get(label, 1.0) for label in classes])
    return None if (factors == 1).all() else factors


def _check_part(part: str, X: pd.DataFrame, y: NDArray[Any]) -> None:
    if len(X) != len(y):
        raise DataError(f"the {part} part has {len(X)} rows of features but {len(y)} labels")
    if len(X) == 0:
        raise DataError(
            f"the {part} part has no row; a detector needs at least one to train on and one to score"
        )


def _categories(column: pd.Series) -> pd.Index:
    """Give the values that occur, sorted as text: a dtype may name categories that no training row has."""
    return pd.Index(sorted(column.dropna().unique(), key=str), dtype=object)
