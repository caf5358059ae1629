"""The resamplers to beat: random oversampling and SMOTE, as imbalanced-learn has them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, SMOTENC, RandomOverSampler
from pandas.api.types import is_numeric_dtype
from sklearn.neighbors import NearestNeighbors

from rareflow.errors import ConfigError, DataError
from rareflow.evaluation.matrix import from_matrix, to_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["random_oversample", "smote"]

_NEIGHBORS = 5  # of the SMOTE paper, and imbalanced-learn's default
_MIXED_PARENTS = 5_000  # SMOTENC compares every pair of a class's rows: 2 s at 5,000, 15 s at 20,000


def random_oversample(
    X: pd.DataFrame, y: NDArray[Any], counts: Mapping[str, int], *, seed: int
) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Repeat real rows, drawn with replacement.

    Parameters
    ----------
    X
        Feature frame, shape ``(rows, columns)``.
    y
        Labels as text, shape ``(rows,)``.
    counts
        New rows by class; a class that is not named does not grow.
    seed
        Seed of the draw.

    Returns
    -------
    tuple
        The given rows first, then the new ones, index 0..n-1, dtypes kept; and the label of each.

    Raises
    ------
    ConfigError
        If a count is negative.
    DataError
        If a class to grow has no row, or features and labels differ in length.
    """
    growing = _growing(X, y, counts)
    generator = np.random.default_rng(seed)
    parts = [X.iloc[_repeat(np.flatnonzero(y == label), new, generator)] for label, new in growing.items()]
    return _stack(X, y, parts, growing)


def smote(
    X: pd.DataFrame, y: NDArray[Any], counts: Mapping[str, int], *, seed: int
) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Draw new rows between a real row and one of its five nearest neighbours of the same class (SMOTE).

    Chawla et al. 2002, arXiv 1106.1813. Neighbours are found in raw units. Booleans and integers are rounded
    back to their dtype. With categorical columns it is SMOTE-NC: a category is the neighbours' most frequent
    one, a missing category counts as one more, and a class of more than 5,000 rows draws its parents among a
    random 5,000. SMOTE knows no missing number: for the search and in new rows it is the class's median (the
    given rows keep theirs); a column that a class never has stays missing. A class of one row is repeated;
    so is every class where no column is a number, as there is nothing to interpolate.

    Parameters, returns and errors are those of `random_oversample`.
    """
    growing = _growing(X, y, counts)
    generator = np.random.default_rng(seed)
    has_number = any(is_numeric_dtype(X[name].dtype) for name in X.columns)
    parts = []
    for label, new in growing.items():
        rows = np.flatnonzero(y == label)
        if len(rows) > 1 and has_number:
            parts.append(_interpolate(X.iloc[rows], new, generator))
        else:
            parts.append(X.iloc[_repeat(rows, new, generator)])
    return _stack(X, y, parts, growing)


def _growing(X: pd.DataFrame, y: NDArray[Any], counts: Mapping[str, int]) -> dict[str, int]:
    """Give the classes that grow by at least one row, after checking what was asked."""
    if len(X) != len(y):
        raise DataError(f"{len(X)} rows of features cannot be resampled with {len(y)} labels")
    present = set(y)
    for label, new in counts.items():
        if new < 0:
            raise ConfigError(f"class {label!r} cannot grow by {new} rows; give 0 or more")
        if new > 0 and label not in present:
            raise DataError(f"class {label!r} has no row to resample; leave it out of the counts")
    return {label: new for label, new in counts.items() if new > 0}


def _stack(
    X: pd.DataFrame, y: NDArray[Any], parts: list[pd.DataFrame], growing: dict[str, int]
) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Put the new rows of each growing class below the given ones."""
    new_labels = [np.full(new, label, dtype=object) for label, new in growing.items()]
    return pd.concat([X, *parts], ignore_index=True), np.concatenate(
        [np.asarray(y, dtype=object), *new_labels]
    )


def _oversample(sampler: Any, rows: NDArray[Any], new: int) -> Any:  # noqa: ANN401 - imblearn is untyped
    """Run one sampler on the rows of one class and give it ``new`` more.

    imbalanced-learn asks for two classes and for totals: the first row stands in as a second class, and the
    warning that one class outgrows the other means nothing here.
    """
    is_class = np.r_[np.ones(len(rows), dtype=np.int64), 0]
    sampler.set_params(sampling_strategy={1: len(rows) + new})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="After over-sampling", category=UserWarning)
        resampled, _ = sampler.fit_resample(np.vstack([rows, rows[:1]]), is_class)
    return resampled[len(is_class) :]


def _repeat(rows: NDArray[np.intp], new: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Draw ``new`` of the row numbers with replacement."""
    picked: NDArray[np.intp] = _oversample(
        RandomOverSampler(random_state=_state(generator)), rows[:, None], new
    )
    return picked[:, 0]


def _interpolate(X: pd.DataFrame, new: int, generator: np.random.Generator) -> pd.DataFrame:
    """Draw ``new`` rows between rows of one class, shape ``(new, columns)``, in the dtypes of ``X``."""
    categorical = [i for i, name in enumerate(X.columns) if not is_numeric_dtype(X[name].dtype)]
    if categorical and len(X) > _MIXED_PARENTS:
        X = X.iloc[generator.choice(len(X), _MIXED_PARENTS, replace=False)]
    matrix, known = to_matrix(X)
    # A tree search is exact and does not compare every pair of rows; SMOTENC's sparse matrix allows none.
    algorithm = "brute" if categorical else "kd_tree"
    neighbors = NearestNeighbors(n_neighbors=min(_NEIGHBORS, len(X) - 1) + 1, algorithm=algorithm)
    if categorical:
        sampler = SMOTENC(categorical, k_neighbors=neighbors, random_state=_state(generator))
    else:
        sampler = SMOTE(k_neighbors=neighbors, random_state=_state(generator))
    return from_matrix(_oversample(sampler, matrix, new), X, known)


def _state(generator: np.random.Generator) -> int:
    """Draw a seed for scikit-learn's older generators."""
    return int(generator.integers(2**32))
