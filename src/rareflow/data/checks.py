"""Checks of a frame before it becomes a table: each one mends what an option says how to mend, or refuses.

Every refusal names all the columns or classes that it is about, so that one more option settles it.
"""

from __future__ import annotations

import difflib
import shlex
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "INFINITIES",
    "RARE_CLASSES",
    "check_classes",
    "check_features",
    "check_labels",
    "check_names",
    "declare_categories",
    "find_label",
    "settle_infinities",
    "settle_rare_classes",
]

INFINITIES = ("missing", "drop")
RARE_CLASSES = ("error", "drop", "merge", "keep")

_MERGED = "Rare"
_NAMES_SHOWN = 8
_MIN_CLASSES = 2


def find_label(frame: pd.DataFrame, label: str, dropped: Sequence[str]) -> str:
    """Check that the label column is there, once.

    Parameters
    ----------
    frame
        The frame as it was read.
    label
        The label column's name; empty if nobody said.
    dropped
        The columns to leave out.

    Raises
    ------
    DataError
        If it is not said, is missing, is to be left out, or occurs twice.
    """
    if not label:
        raise DataError(
            f"no label column is given; add --label NAME, as in --label {shlex.quote(frame.columns[-1])} "
            "(the last column)"
        )
    if label not in frame.columns:
        raise DataError(f"no label column {label!r}{_near(label, frame.columns)}")
    if label in dropped:
        raise DataError(f"the column {label!r} is given twice, as --label and in --drop; take it out of one")
    second = f"{label}.1"
    if second in frame.columns and second not in dropped:
        raise DataError(
            f"the label column {label!r} occurs twice (the second as {second!r}); "
            f"leave one out with --drop {shlex.quote(second)}"
        )
    return label


def check_names(frame: pd.DataFrame, names: Sequence[str], option: str) -> None:
    """Refuse an option that names a column which is not there."""
    for name in names:
        if name not in frame.columns:
            raise DataError(f"{option}: no column {name!r}{_near(name, frame.columns)}")


def _near(name: str, columns: Iterable[str]) -> str:
    """Say which columns there are, and which of them are spelt nearly so."""
    names = list(columns)
    by_lower = {other.lower(): other for other in names}
    near = [by_lower[other] for other in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    return f"; did you mean {' or '.join(near)}?" if near else f"; the columns are {_some(names)}"


def _some(names: Sequence[str]) -> str:
    """List names, the last of a long list among them, for there the label often stands."""
    if len(names) <= _NAMES_SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMES_SHOWN - 1])}, ... ({len(names)} in all), {names[-1]}"


def declare_categories(frame: pd.DataFrame, declared: Sequence[str], label: str) -> pd.DataFrame:
    """Turn declared columns into categories, and refuse every other column that holds no numbers.

    Numbers, truth values and ``category`` columns pass as they are. Declared text becomes a category of text,
    declared numbers a category of numbers; declared columns that are gone by now, and the label, are passed
    over.

    Raises
    ------
    DataError
        If a feature column holds text that nobody declared, or times or durations.
    """
    features = [name for name in frame.columns if name != label]
    text = [name for name in features if _is_text(frame[name])]
    undeclared = [name for name in text if name not in declared]
    if undeclared:
        names = shlex.quote(",".join(undeclared))
        shown = ", ".join(f"{name!r} ({_first_text(frame[name])})" for name in undeclared)
        raise DataError(
            f"text in columns that nobody declared: {shown}; add --categorical {names} or --drop {names}"
        )
    frame = frame.astype({name: "str" for name in declared if name in text})
    frame = frame.astype({name: "category" for name in declared if name in features})
    refused = [name for name in features if not _is_usable(frame[name])]
    if refused:
        shown = ", ".join(f"{name!r} ({frame[name].dtype})" for name in refused)
        raise DataError(
            f"columns that hold neither numbers nor categories: {shown}; "
            f"leave them out with --drop {shlex.quote(','.join(refused))}"
        )
    return frame


def _is_text(column: pd.Series) -> bool:
    return pd.api.types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype)


def _first_text(column: pd.Series) -> str:
    """Show the first value, or the first that is no number if others are."""
    present = column.dropna()
    is_number = pd.to_numeric(present, errors="coerce").notna()
    if is_number.any() and not is_number.all():
        row = present.index[~is_number][0]
        return f"{column[row]!r} among numbers, row {row + 1}"
    return f"{present.iloc[0]!r}"


def _is_usable(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(column.dtype)


def settle_infinities(frame: pd.DataFrame, label: str, rule: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Turn infinite values into missing ones (``missing``) or drop their rows (``drop``), and say so.

    Raises
    ------
    DataError
        If there are infinite values and no rule.
    """
    infinite = {name: _is_infinite(frame[name]) for name in frame.columns if name != label}
    infinite = {name: rows for name, rows in infinite.items() if rows.any()}
    if not infinite:
        return frame, ()
    shown = ", ".join(f"{name!r} ({rows.sum()} rows)" for name, rows in infinite.items())
    if not rule:
        raise DataError(
            f"infinite values in {shown}; say what they mean with --infinities {'|'.join(INFINITIES)}, "
            "or name a --recipe that knows"
        )
    if rule == "drop":
        any_infinite = np.logical_or.reduce(list(infinite.values()))
        note = f"{any_infinite.sum()} rows with infinite values were dropped: {shown}."
        return frame[~any_infinite].reset_index(drop=True), (note,)
    mended = frame.assign(**{name: frame[name].mask(rows) for name, rows in infinite.items()})
    return mended, (f"Infinite values became missing: {shown}.",)


def _is_infinite(column: pd.Series) -> np.ndarray:
    """Tell which values are infinite, shape ``(rows,)``; only floats can be."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return np.zeros(len(column), dtype=bool)
    return np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan))


def settle_rare_classes(
    frame: pd.DataFrame, label: str, treatment: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Drop or merge the classes that have one row in the whole table, and say so; or keep them.

    Raises
    ------
    DataError
        If there are such classes and the treatment is ``error``, or merging would leave one row again.
    """
    names = frame[label].astype("str")
    counts = names.value_counts()
    lone = sorted(counts.index[counts == 1])
    if not lone or treatment == "keep":
        return frame, ()
    shown = _some([repr(name) for name in lone])
    if treatment == "error":
        raise DataError(
            f"classes of one row in the whole table, which no split can both train and test: {shown}; "
            "add --rare-classes drop, or --rare-classes merge to make them one class"
        )
    is_lone = names.isin(lone)
    if treatment == "drop":
        return frame[~is_lone].reset_index(drop=True), (f"Classes of one row were dropped: {shown}.",)
    if len(lone) == 1 and (_MERGED in lone or _MERGED not in counts):
        raise DataError(
            f"only one class has one row, {shown}: merged, it would still have one; use --rare-classes drop"
        )
    merged = names.mask(is_lone, _MERGED)
    return frame.assign(**{label: merged}), (f"Classes of one row were merged into {_MERGED!r}: {shown}.",)


def check_labels(frame: pd.DataFrame, label: str) -> None:
    """Refuse rows without a label."""
    missing = frame[label].isna()
    if missing.any():
        raise DataError(
            f"column {label!r}: {missing.sum()} rows have no label, the first is row {missing.argmax() + 1}; "
            "label these rows or remove them from the file"
        )


def check_classes(frame: pd.DataFrame, label: str) -> None:
    """Refuse a table of fewer than two classes."""
    classes = [str(name) for name in frame[label].unique()]
    if len(classes) < _MIN_CLASSES:
        raise DataError(
            f"column {label!r} holds one class only, {classes}: there is nothing to tell apart; "
            "give --data rows of a second class, or --label another column"
        )


def check_features(frame: pd.DataFrame, label: str) -> None:
    """Refuse a table without features, and columns without a value."""
    features = frame.columns.drop(label)
    if features.empty:
        raise DataError(f"no column is left beside the label {label!r}; leave fewer out with --drop")
    empty = [name for name in features if frame[name].isna().all()]
    if empty:
        names = shlex.quote(",".join(empty))
        raise DataError(
            f"columns that hold no value at all: {_some(empty)}; leave them out with --drop {names}"
        )
