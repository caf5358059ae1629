"""Checks of a table before it is used: each gives the step that mends the rows as an option says, or refuses.

They go by facts about all rows (`rareflow.data.facts`), so that a table may be held frame by frame.

Every refusal names all the columns or classes that it is about, so that one more option settles it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rareflow.data.columns import with_columns
from rareflow.data.dtypes import EXACT, is_text
from rareflow.data.facts import is_infinite
from rareflow.data.names import shell_names, shown_names
from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rareflow.data.facts import Facts


__all__ = [
    "INFINITIES",
    "RARE_CLASSES",
    "Fate",
    "Step",
    "check_classes",
    "check_features",
    "check_labels",
    "check_whole_numbers",
    "declare_categories",
    "settle_classes",
    "settle_infinities",
    "settle_rare_classes",
    "settled_counts",
]

Step = Callable[[pd.DataFrame], pd.DataFrame]
"""What is done to every row, frame by frame."""

Fate = Mapping[str, str | None]
"""What becomes of classes, by name: their new names, or ``None`` where their rows are dropped."""

INFINITIES = ("missing", "drop")
RARE_CLASSES = ("error", "drop", "merge", "keep")

_MERGED = "Rare"
_MIN_CLASSES = 2
_MANY = 100  # classes of one row that no data set has


def check_features(features: Sequence[str], label: str, empty: Collection[str]) -> None:
    """Refuse a table without features, and columns without a value."""
    if not features:
        raise DataError(f"no column is left beside the label {label!r}; leave fewer out with --drop")
    refused = [name for name in features if name in empty]
    if refused:
        names = shell_names(refused)
        raise DataError(
            f"columns that hold no value at all: {shown_names(refused)}; leave them out with --drop {names}"
        )


def declare_categories(
    head: pd.DataFrame, declared: Sequence[str], label: str, values: Callable[[str], pd.Series]
) -> Step:
    """Turn declared columns into categories.

    Numbers, truth values and ``category`` columns pass as they are. Declared text becomes a category of text,
    declared numbers a category of numbers; declared columns that are gone by now, and the label, are passed
    over.

    Parameters
    ----------
    head
        The columns with their dtypes; no row is needed.
    declared
        Columns whose values are categories.
    label
        The label column's name.
    values
        Gives the distinct values of a declared column.
    """
    wanted = [name for name in dict.fromkeys(declared) if name in head.columns and name != label]
    text = [name for name in wanted if is_text(head[name].dtype)]
    dtypes = {name: _category(values(name), is_text=name in text) for name in wanted}

    def step(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.astype(dict.fromkeys(text, "str")).astype(dtypes)

    return step


def _category(values: pd.Series, *, is_text: bool) -> Any:  # noqa: ANN401 - a pandas dtype
    return (values.astype("str") if is_text else values).astype("category").dtype


def settle_infinities(facts: Facts, rule: str) -> tuple[Step, tuple[str, ...]]:
    """Turn infinite values into missing ones (``missing``) or drop their rows (``drop``), and say so.

    Raises
    ------
    DataError
        If there are infinite values and no rule.
    """
    infinite = [name for name in facts.numbers if name in facts.infinite]
    if not infinite:
        return _as_it_is, ()
    shown = ", ".join(f"{name!r} ({facts.infinite[name]} rows)" for name in infinite)
    if not rule:
        raise DataError(
            f"infinite values in {shown}; say what they mean with --infinities {'|'.join(INFINITIES)}, "
            "or name a --recipe that knows; where they are text that reads like a huge number (12e400), "
            f"add --categorical {shell_names(infinite)} or --drop {shell_names(infinite)}"
        )

    def drop(frame: pd.DataFrame) -> pd.DataFrame:
        any_infinite = np.logical_or.reduce([is_infinite(frame[name]) for name in infinite])
        return frame[~any_infinite].reset_index(drop=True)

    def mend(frame: pd.DataFrame) -> pd.DataFrame:
        return with_columns(frame, {name: frame[name].mask(is_infinite(frame[name])) for name in infinite})

    if rule == "drop":
        return drop, (f"{facts.infinite_rows} rows with infinite values were dropped: {shown}.",)
    return mend, (f"Infinite values became missing: {shown}.",)


def check_whole_numbers(facts: Facts) -> None:
    """Refuse columns of different whole numbers of which floats, as which they would be forged, lack some."""
    refused = [name for name, (low, high) in facts.whole.items() if low < high and max(-low, high) > EXACT]
    if refused:
        shown = ", ".join(f"{name!r} ({facts.whole[name][0]} to {facts.whole[name][1]})" for name in refused)
        names = shell_names(refused)
        raise DataError(
            f"whole numbers beyond 2**53, which floats cannot tell apart: {shown}; leave them out with "
            f"--drop {names}, or where they are names add --categorical {names}"
        )


def _as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def settle_rare_classes(counts: Mapping[str, int], treatment: str) -> tuple[Fate, tuple[str, ...]]:
    """Decide what becomes of the classes that have one row in the whole table, and say so.

    Parameters
    ----------
    counts
        Rows of each class by its name as text, at least 1 each.
    treatment
        One of ``RARE_CLASSES``.

    Raises
    ------
    DataError
        If there are such classes and the treatment is ``error``, or merging would leave one row again.
    """
    lone = sorted(name for name, rows in counts.items() if rows == 1)
    if not lone or treatment == "keep":
        return {}, ()
    shown = shown_names([repr(name) for name in lone])
    stays_lone = len(lone) == 1 and (_MERGED in lone or _MERGED not in counts)
    if treatment == "error":
        merge = "" if stays_lone else ", or --rare-classes merge to make them one class"
        many = "; so many classes are rather a measurement: give --label another column"
        raise DataError(
            f"classes of one row in the whole table, which no split can both train and test: {shown}; "
            f"add --rare-classes drop{merge}{many if len(lone) > _MANY else ''}"
        )
    if treatment == "drop":
        return dict.fromkeys(lone), (f"Classes of one row were dropped: {shown}.",)
    if stays_lone:
        raise DataError(
            f"only one class has one row, {shown}: merged, it would still have one; use --rare-classes drop"
        )
    return dict.fromkeys(lone, _MERGED), (f"Classes of one row were merged into {_MERGED!r}: {shown}.",)


def settle_classes(fate: Fate, label: str) -> Step:
    """Drop and rename classes."""
    gone = [name for name, new in fate.items() if new is None]
    renamed = {name: new for name, new in fate.items() if new is not None}

    def step(frame: pd.DataFrame) -> pd.DataFrame:
        names = frame[label].astype("str")
        if renamed:
            frame = with_columns(frame, {label: names.replace(renamed)})
        return frame[~names.isin(gone)].reset_index(drop=True) if gone else frame

    return step if fate else _as_it_is


def settled_counts(counts: Mapping[str, int], fate: Fate) -> dict[str, int]:
    """Count the rows of each class after its fate, the largest class first, ties by name."""
    left: Counter[str] = Counter()
    for name, rows in counts.items():
        new = fate.get(name, name)
        if new is not None:
            left[new] += rows
    return dict(sorted(left.items(), key=lambda each: (-each[1], each[0])))


def check_labels(facts: Facts, place: Callable[[int], str]) -> None:
    """Refuse rows without a label; `place` names a row by its number."""
    if facts.unlabelled:
        raise DataError(
            f"column {facts.label!r}: {facts.unlabelled} rows have no label, the first is "
            f"{place(facts.first_unlabelled)}; label these rows or remove them from the file (in a CSV NA, "
            "NULL, nan and n/a stand for nothing: give such a class another name)"
        )


def check_classes(counts: Mapping[str, int], label: str) -> None:
    """Refuse a table of fewer than two classes."""
    if len(counts) < _MIN_CLASSES:
        raise DataError(
            f"column {label!r} holds one class only, {list(counts)}: there is nothing to tell apart; "
            "give --data rows of a second class, or --label another column"
        )
