"""Columns that give the label away: a detector that has one scores 100 and has learned nothing.

A column is suspected for what it holds, never for its name, and for one of three reasons:

- *The label settles it*: one value in all rows of each class, and not the same in all classes, as a yes-or-no
  label beside the names of attacks. A good feature may tell one rare class from all others just so, as the
  lack of an answer does Recon in the gas pipeline. So a column is passed over where one value stands for
  several classes and all other values together for fewer rows than a class has on average, unless normal
  traffic is among these.
- *It settles the label*: each of its values occurs in one class only, as the names of attacks beside a
  yes-or-no label. That is true of every column without a repeated value, so it must have few values, at most
  `_MAX_VALUES`, none of which is a fraction.
- *It counts the rows*: whole numbers that rise by one from row to row. Where a file is ordered by class they
  tell the class. Some rows may be lacking, and the count may begin anew, as where files were joined.

The first two may be chance where rows are few. So there must be `_ROWS` rows for each of the classes, or of
the values in the second case, the largest left out; and `_ROWS` rows outside of the largest part of what is
settled, so that not all hangs on one small class.

Missing is a value. Columns that give the label away only together, or in nearly all rows, are not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rareflow.data.names import shell_names
from rareflow.data.schema import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rareflow.data.schema import Column
    from rareflow.data.table import Table

__all__ = ["find_leaks", "leak_note"]

_ROWS = 10
_MAX_VALUES = 100
_LACKING = 0.1  # of the rows that are counted
_ANEW = 0.001  # of the rows
_LOOKED_AT = 4_000  # rows that clear most columns
_NORMAL = ("normal", "benign")


def leak_note(table: Table, *, of: int | None = None) -> str:
    """Say in a line what `find_leaks` finds, and what to do about it; empty if it finds nothing."""
    leaks = find_leaks(table, of=of)
    if not leaks:
        return ""
    shown = ", ".join(f"{name!r} ({what})" for name, what in leaks.items())
    return (
        f"Columns that may give the label {table.label!r} away: {shown}; "
        f"--drop {shell_names(leaks)} leaves them out, unless a detector is to have them."
    )


def find_leaks(table: Table, *, of: int | None = None) -> dict[str, str]:
    """Give the columns that may give the label away, in order, and what is odd about each.

    Parameters
    ----------
    table
        Rows in file order.
    of
        Number of rows of which these are a sample; by default they are all.
    """
    classes, names = pd.factorize(table.labels)
    is_normal = np.array([name.lower() in _NORMAL for name in names])
    rows, of = _spread(classes), len(table) if of is None else of
    found = {
        column.name: _nesting(table.frame[column.name], column.kind, classes, is_normal, rows)
        or _count(table.frame[column.name], column, of)
        for column in table.schema.columns
    }
    return {name: what for name, what in found.items() if what}


def _spread(classes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Choose rows of every class from its first to its last, of a small one all."""
    order, counts = np.argsort(classes, kind="stable"), np.bincount(classes)
    place = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    step = -(-counts * len(counts) // _LOOKED_AT)
    return order[place % np.repeat(step, counts) == 0]


def _nesting(
    values: pd.Series,
    kind: Kind,
    classes: NDArray[np.intp],
    is_normal: NDArray[np.bool_],
    rows: NDArray[np.intp],
) -> str:
    """Say how label and column settle each other, if they do; few rows show of most that they do not."""
    if kind is Kind.CONSTANT:
        return ""
    own, some = _numbered(values.iloc[rows]), classes[rows]
    is_settled = _settles(some, own)
    settles = kind is not Kind.CONTINUOUS and own.max() < _MAX_VALUES and _settles(own, some)
    if not (is_settled or settles):
        return ""
    own = _numbered(values)
    if is_settled and _is_borne_out(classes, own) and not _is_feature(own, classes, is_normal):
        return "one value in all rows of each class"
    n_values = own.max() + 1
    if settles and n_values <= _MAX_VALUES and _is_borne_out(own, classes):
        return f"each of its {n_values} values in one class only"
    return ""


def _numbered(values: pd.Series) -> NDArray[np.intp]:
    """Give each value's number, ``(rows,)``; missing is a value."""
    return pd.factorize(values, use_na_sentinel=False)[0]


def _settles(one: NDArray[np.intp], other: NDArray[np.intp]) -> bool:
    """Tell whether rows of equal numbers in `one` have equal ones in `other`."""
    row = np.empty(one.max() + 1, dtype=np.intp)
    row[one] = np.arange(len(one))  # any row of each number
    return bool((other == other[row[one]]).all())


def _is_borne_out(one: NDArray[np.intp], other: NDArray[np.intp]) -> bool:
    """Tell whether the numbers in `one` settle those in `other`, and rows enough say so."""
    parts, settled = np.bincount(one), np.bincount(other)
    is_repeated = len(one) - parts.max() >= _ROWS * (len(parts) - 1)
    return bool(is_repeated and len(other) - settled.max() >= _ROWS and _settles(one, other))


def _is_feature(own: NDArray[np.intp], classes: NDArray[np.intp], is_normal: NDArray[np.bool_]) -> bool:
    """Tell whether a column that the label settles only tells a rare class, or some, from several others."""
    in_bulk = own == np.bincount(own).argmax()
    of_bulk = np.bincount(classes[in_bulk], minlength=len(is_normal)) > 0
    is_little = np.count_nonzero(~in_bulk) * len(is_normal) < len(own)
    return bool(of_bulk.sum() > 1 and is_little and not is_normal[~of_bulk].any())


def _count(values: pd.Series, column: Column, of: int) -> str:
    """Say that a column counts the rows, if it does; the first rows show of most that they do not."""
    if column.kind is not Kind.INTEGER or column.missing or len(values) < 2 * _ROWS:
        return ""
    counted = all(_rises(part.to_numpy(dtype=float), of) for part in (values.iloc[:_LOOKED_AT], values))
    return "counts the rows" if counted else ""


def _rises(numbers: NDArray[np.float64], of: int) -> bool:
    """Tell whether numbers rise, but where they begin anew, and no further than a count of rows would."""
    steps = np.diff(numbers)
    up = steps[steps > 0]
    return bool(len(steps) - len(up) <= _ANEW * len(steps) and up.sum() <= (1 + _LACKING) * of)
