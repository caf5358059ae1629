"""Detectors by name: XGBoost, a random forest, a decision tree, or any classifier by its import path."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter
from xgboost import XGBClassifier

from rareflow.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["DETECTORS", "check_detectors", "fit_predict"]

DETECTORS = ("xgb", "rf", "dt")


def check_detectors(names: Sequence[str], *, weights: bool = False, odds: bool = False) -> None:
    """Refuse detectors that cannot be made, or that cannot take what they will be given.

    Parameters
    ----------
    names
        Of `DETECTORS`, or import paths such as ``sklearn.naive_bayes.GaussianNB``.
    weights, odds
        Whether rows will be weighted, and whether odds will be put on the probabilities.

    Raises
    ------
    ConfigError
        If a name is unknown, cannot be imported, is no classifier that numbers of either sign are enough for,
        or has no ``sample_weight`` or ``predict_proba`` where one is needed.
    """
    for name in names:
        model = _make(name, seed=0, n_threads=1)
        if weights and not has_fit_parameter(model, "sample_weight"):
            raise ConfigError(
                f"detector {name!r} takes no sample_weight, so rows cannot be weighted; "
                "leave out the detector or the augmenter that weights rows"
            )
        if odds and not hasattr(model, "predict_proba"):
            raise ConfigError(
                f"detector {name!r} has no predict_proba, so thresholds cannot be moved; "
                "leave out the detector or the augmenter that moves thresholds"
            )


def fit_predict(
    name: str,
    train: NDArray[np.float32],
    codes: NDArray[np.intp],
    test: NDArray[np.float32],
    *,
    weight: NDArray[np.float64] | None = None,
    odds: NDArray[np.float64] | None = None,
    seed: int,
    n_threads: int = 1,
) -> NDArray[np.intp]:
    """Fit one detector and predict the test rows.

    A classifier by import path stands at its defaults; if it cannot take missing numbers, it gets medians of
    the training part for them and every column at mean 0 and standard deviation 1.

    Parameters
    ----------
    name
        As in `check_detectors`.
    train, test
        Encoded rows, shape ``(rows, encoded columns)``, numbers finite or NaN.
    codes
        The class of each training row, all of 0..classes-1.
    weight
        How much each training row counts, shape ``(training rows,)``.
    odds
        Factor on the probability of each class, shape ``(classes,)``; ``None`` leaves the decision to the
        detector.
    seed, n_threads
        Seed and threads of the detector.

    Returns
    -------
    ndarray
        Predicted codes, shape ``(test rows,)``.

    Raises
    ------
    ConfigError
        If a classifier by import path cannot learn from these rows, or say nothing of those.
    """
    model = _make(name, seed=seed, n_threads=n_threads)
    rows: tuple[NDArray[Any], NDArray[Any]] = (train, test)
    if not get_tags(model).input_tags.allow_nan:
        rows = _completed(train, test)
    try:
        return _predicted(name, model, rows, codes, weight, odds)
    except ValueError as err:  # what scikit-learn raises for rows that are too few or unlike what it knows
        if name in DETECTORS:
            raise
        reason = " ".join(str(err).split()).rstrip(".")
        raise ConfigError(
            f"detector {name!r} fails on {len(train)} training rows of {codes.max() + 1} classes and "
            f"{len(test)} rows to predict ({reason}); take another detector, or give more rows"
        ) from err


def _predicted(
    name: str,
    model: Any,  # noqa: ANN401 - scikit-learn is untyped
    rows: tuple[NDArray[Any], NDArray[Any]],
    codes: NDArray[np.intp],
    weight: NDArray[np.float64] | None,
    odds: NDArray[np.float64] | None,
) -> NDArray[np.intp]:
    """Fit a detector and predict, see `fit_predict`."""
    # scikit-learn finds NaN by summing columns, and values near 1e38 overflow such a sum to no harm.
    with np.errstate(over="ignore", invalid="ignore"):
        if weight is None:
            model.fit(rows[0], codes)
        else:
            model.fit(rows[0], codes, sample_weight=weight)
        if name != "xgb" and "n_jobs" in model.get_params():
            model.set_params(n_jobs=1)  # threads add the trees' votes in any order, and a near tie then flips
        if odds is None or len(odds) == 1:
            predicted: NDArray[np.intp] = model.predict(rows[1])
            return predicted
        return (model.predict_proba(rows[1]) * odds).argmax(axis=1)


def _make(name: str, *, seed: int, n_threads: int) -> Any:  # noqa: ANN401 - scikit-learn is untyped
    """Make a detector by its name, at its library's defaults."""
    if name == "xgb":
        return XGBClassifier(tree_method="hist", random_state=seed, n_jobs=n_threads)
    if name == "rf":
        return RandomForestClassifier(random_state=seed, n_jobs=n_threads)
    if name == "dt":
        return DecisionTreeClassifier(random_state=seed)
    if "." not in name:
        raise ConfigError(
            f"detector {name!r} is unknown; choose among {', '.join(DETECTORS)}, or give a classifier's "
            "import path such as sklearn.naive_bayes.GaussianNB"
        )
    model = _import(name)
    wanted = {"random_state": seed} | ({"n_jobs": n_threads} if n_threads > 1 else {})
    known = model.get_params()
    return model.set_params(**{key: value for key, value in wanted.items() if key in known})


def _import(path: str) -> Any:  # noqa: ANN401 - scikit-learn is untyped
    """Make a classifier by its import path, without arguments."""
    module, _, attribute = path.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as err:
        raise ConfigError(f"detector {path!r} cannot be imported: {err}") from err
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise ConfigError(f"detector {path!r} is no scikit-learn classifier; give the path of one")
    try:
        model = found()
    except TypeError as err:
        raise ConfigError(f"detector {path!r} cannot be made without arguments: {err}") from err
    if not is_classifier(model):
        raise ConfigError(f"detector {path!r} is no scikit-learn classifier; give the path of one")
    if get_tags(model).input_tags.positive_only:
        raise ConfigError(f"detector {path!r} takes no negative numbers, which tables hold; take another")
    return model


def _completed(
    train: NDArray[np.float32], test: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fill missing numbers and bring columns to one scale, both by the training rows."""
    # float64, because the squares of large float32 numbers are none.
    both = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    first = both.fit_transform(train.astype(np.float64))
    return first, both.transform(test.astype(np.float64))
