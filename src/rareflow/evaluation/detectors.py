"""The detectors that judge a training table: XGBoost, a random forest, a decision tree, as in the paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from rareflow.errors import ConfigError, DataError
from rareflow.evaluation.metrics import Scores, score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["DETECTORS", "FeatureEncoder", "evaluate_detectors", "macro_f1"]

DETECTORS = ("xgb", "rf", "dt")

_LARGEST = float(np.finfo(np.float32).max)


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
                matrix[:, start] = np.clip(numbers, -_LARGEST, _LARGEST)
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
    seed: int,
    n_threads: int = 1,
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
        Which of `DETECTORS` to train.
    seed
        Seed of every detector's own randomness.
    n_threads
        Threads that one detector may use, at least 1.

    Returns
    -------
    dict
        The scores by detector, in the order of ``detectors``.

    Raises
    ------
    ConfigError
        If a detector is unknown.
    DataError
        If a part has no row, features and labels differ in length, the test part lacks a column, or a label
        is not among ``labels``.
    """
    for name in detectors:
        if name not in DETECTORS:
            raise ConfigError(f"detector {name!r} is unknown; choose among {', '.join(DETECTORS)}")
    _check_part("training", train_X, train_y)
    _check_part("test", test_X, test_y)
    encoder = FeatureEncoder.fit(train_X)
    train, test = encoder.transform(train_X), encoder.transform(test_X)
    codes, classes = pd.factorize(np.asarray(train_y, dtype=object), sort=True)
    scores = {}
    for name in detectors:
        predicted = _predict(name, train, codes, test, seed=seed, n_threads=n_threads)
        scores[name] = score(test_y, classes[predicted], labels=labels)
    return scores


def macro_f1(scores: dict[str, Scores]) -> float:
    """Average macro-F1 over the detectors, in 0..1: what a study maximises."""
    return float(np.mean([each.macro_f1 for each in scores.values()]))


def _predict(
    name: str,
    train: NDArray[np.float32],
    codes: NDArray[np.intp],
    test: NDArray[np.float32],
    *,
    seed: int,
    n_threads: int,
) -> NDArray[np.intp]:
    """Fit one detector on codes 0..classes-1 and predict the test rows' codes, shape ``(test rows,)``."""
    if name == "xgb":
        model = XGBClassifier(tree_method="hist", random_state=seed, n_jobs=n_threads)
    elif name == "rf":
        model = RandomForestClassifier(random_state=seed, n_jobs=n_threads)
    else:
        model = DecisionTreeClassifier(random_state=seed)
    # scikit-learn finds NaN by summing columns, and values near 1e38 overflow such a sum to no harm.
    with np.errstate(over="ignore", invalid="ignore"):
        model.fit(train, codes)
    if name == "rf":
        model.set_params(n_jobs=1)  # threads add the trees' votes in any order, and a near tie then flips
    predicted: NDArray[np.intp] = model.predict(test)
    return predicted


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
