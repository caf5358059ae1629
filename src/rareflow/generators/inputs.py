"""What a generator is given, checked: features as a frame, labels as numbered classes, a device by name."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_numeric_dtype, is_object_dtype

from rareflow.data.columns import with_columns
from rareflow.errors import ConfigError, DataError
from rareflow.generators.codec import check_dtype

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["DEVICES", "as_frame", "as_labels", "as_seed", "number_classes", "training_device"]

DEVICES = ("auto", "cpu", "cuda")
"""Where a generator may be told to train; ``auto``: CUDA where there is one."""


def as_frame(X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
    """Give features as a frame with text column names; numbers that are held as objects are numbers in it."""
    if isinstance(X, pd.DataFrame):
        frame = X.set_axis([str(name) for name in X.columns], axis=1).reset_index(drop=True)
        if not frame.columns.is_unique:
            twice = frame.columns[frame.columns.duplicated()][0]
            raise DataError(f"column {twice!r} occurs more than once in X; rename one of them")
    else:
        if hasattr(X, "toarray"):
            raise DataError(f"X is a sparse {type(X).__name__}; give X.toarray()")
        # Whatever is no array yet may mix text and numbers, which would all become text.
        array = X if isinstance(X, np.ndarray) else np.asarray(X, None if hasattr(X, "__array__") else object)
        if array.ndim != 2:  # noqa: PLR2004 - a table has two dimensions
            raise DataError(f"X must be a table of shape (rows, columns), not of shape {array.shape}")
        frame = pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])]).infer_objects()
    if frame.empty:
        raise DataError(f"X must hold at least one row and one column, not {frame.shape}")
    settled = {name: _native(_as_numbers(frame[name])) for name in frame.columns}
    return with_columns(frame, {name: new for name, new in settled.items() if new.dtype != frame[name].dtype})


def _as_numbers(values: pd.Series) -> pd.Series:
    """Give numbers that are held as objects as numbers: columns of a table that was one array are."""
    if not is_object_dtype(values.dtype):
        return values
    found = values.mask(values.isna()).infer_objects()
    return found if is_numeric_dtype(found.dtype) else values


def _native(values: pd.Series) -> pd.Series:
    """Give numbers in the byte order of this machine."""
    dtype = values.dtype
    if not isinstance(dtype, np.dtype) or dtype.isnative:
        return values
    return values.astype(dtype.newbyteorder("="))


def as_labels(y: ArrayLike, frame: pd.DataFrame) -> pd.Series:
    """Give labels as a series of the table's length without gaps; unnamed ones take a name that X lacks."""
    if np.ndim(y) == 2 and np.shape(y)[1] == 1:  # noqa: PLR2004 - a column of a table, as scikit-learn takes it
        y = y.iloc[:, 0] if isinstance(y, pd.DataFrame) else np.asarray(y)[:, 0]
    if np.ndim(y) != 1:
        raise DataError(f"y must be one column of labels, not of shape {np.shape(y)}")
    labels = _native(pd.Series(y).reset_index(drop=True))
    free = (f"label{'_' * i}" for i in count())
    labels = labels.rename(
        next(name for name in free if name not in frame.columns) if labels.name is None else str(labels.name)
    )
    if len(labels) != len(frame):
        raise DataError(f"X has {len(frame)} rows and y has {len(labels)}; every row needs one label")
    if labels.isna().any():
        raise DataError(f"y has {int(labels.isna().sum())} missing labels; drop those rows")
    check_dtype(labels, "y", "name classes by text, numbers or booleans")
    if labels.name in frame.columns:
        raise DataError(f"X has a column {labels.name!r} and so is y named; leave it out of X or rename one")
    return labels


def number_classes(labels: pd.Series) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Give the sorted classes ``(C,)`` and the number of each row's class, from 0, ``(rows,)``.

    Raises
    ------
    DataError
        If classes are of several types, or of one that is neither text, number nor boolean.
    """
    try:
        values, numbers = np.unique(labels.to_numpy(), return_inverse=True)
    except TypeError as err:
        kinds = sorted({type(value).__name__ for value in labels})
        raise DataError(f"y mixes labels of types {', '.join(kinds)}; make them one type") from err
    for value in values.tolist():
        if not isinstance(value, str | int | float):
            raise DataError(
                f"y holds {value!r}, a {type(value).__name__}; name classes by text, numbers or booleans"
            )
    return values, numbers


def as_seed(random_state: object) -> int | None:
    """Give the seed that scikit-learn's forms of a random state stand for; one with a state is drawn from.

    Raises
    ------
    ConfigError
        If it is none of them.
    """
    if random_state is None:
        return None
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    raise ConfigError(
        f"random_state={random_state!r} must be a whole number of at least 0, a numpy.random.RandomState or "
        "None"
    )


def training_device(name: str) -> torch.device:
    """Give the device that ``auto``, ``cpu`` or ``cuda`` stands for here.

    Raises
    ------
    ConfigError
        If there is no such device.
    """
    if name not in DEVICES:
        raise ConfigError(f"device={name!r} is none of {', '.join(DEVICES)}")
    cuda = torch.cuda.is_available()
    if name == "cuda" and not cuda:
        raise ConfigError(
            "device='cuda' but this torch sees no CUDA device; use device='cpu' or a CUDA build of torch"
        )
    return torch.device("cuda" if name == "cuda" or (name == "auto" and cuda) else "cpu")
