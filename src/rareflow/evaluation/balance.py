"""How many rows each class gets, and the table balanced with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rareflow.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rareflow.generators.portable import PortableGenerator

__all__ = [
    "AMOUNTS",
    "CLASS_ROWS",
    "CLASS_SHARE",
    "balanced_counts",
    "boosts",
    "default_class_rows",
    "forge",
    "new_rows",
]

AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How far towards balance an augmenter may go: 0 is the table as it is, 1 full balance."""

CLASS_ROWS, CLASS_SHARE = 700, 1 / 8
"""Rows that a class is to have at least where nobody chooses, found on inner splits (experiments/LOG.md)."""


def default_class_rows(class_counts: Mapping[str, int]) -> int:
    """Give the rows that each class is to have where nobody chooses.

    A tree needs some hundred rows of a class, hence `CLASS_ROWS`; beside a largest class of many thousand
    rows they would be too few to be seen, hence an eighth of that one's (experiments/LOG.md).

    Parameters
    ----------
    class_counts
        Rows of each class in the training table.
    """
    return max(CLASS_ROWS, round(CLASS_SHARE * max(class_counts.values())))


def boosts(class_counts: Mapping[str, int], amount: float) -> dict[str, float]:
    """Give how much each class is to gain on the largest one.

    A class of ``n`` rows gains the factor ``(n_max / n) ** amount``, geometrically between 1 and balance
    (the tempered class prior of logit adjustment, arXiv 2007.07314).

    Parameters
    ----------
    class_counts
        Rows of each class in the training table, at least 1 each.
    amount
        How far towards balance, in 0..1.

    Returns
    -------
    dict
        The factor of every class: 1 for the largest.

    Raises
    ------
    ConfigError
        If the amount lies outside 0..1.
    """
    if not 0 <= amount <= 1:
        raise ConfigError(f"the amount must lie between 0 (as it is) and 1 (full balance), not {amount}")
    largest = max(class_counts.values())
    return {label: (largest / count) ** amount for label, count in class_counts.items()}


def balanced_counts(class_counts: Mapping[str, int], amount: float) -> dict[str, int]:
    """Give the rows to forge for each class, so that it holds ``n * (n_max / n) ** amount``, rounded.

    Parameters and errors are those of `boosts`.

    Returns
    -------
    dict
        Rows to forge, by class, only classes that get any.
    """
    factors = boosts(class_counts, amount)
    wanted = {label: round(count * factors[label]) - count for label, count in class_counts.items()}
    return {label: count for label, count in wanted.items() if count > 0}


def new_rows(class_counts: Mapping[str, int], class_rows: Mapping[str, int]) -> dict[str, int]:
    """Give the rows to forge for each class, so that it has ``min(class_rows, n_max)`` or keeps its ``n``.

    Parameters
    ----------
    class_counts
        Rows of each class in the training table.
    class_rows
        Rows that each class is to have, real and forged together, >= 0. A class that has as many or is not
        named is left alone.

    Returns
    -------
    dict
        Rows to forge, by class, only classes that get any. No class outgrows the largest one.
    """
    largest = max(class_counts.values())
    wanted = {label: min(class_rows.get(label, 0), largest) - count for label, count in class_counts.items()}
    return {label: count for label, count in wanted.items() if count > 0}


def forge(
    X: pd.DataFrame, y: NDArray[Any], counts: Mapping[str, int], *, generator: PortableGenerator, seed: int
) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Balance a training table with forged rows.

    Parameters
    ----------
    X, y
        Features ``(rows, columns)`` and classes as text ``(rows,)``.
    counts
        Rows to forge, by class; see `new_rows`.
    generator
        A fitted generator of the same columns, whose dtypes are those of `X` or narrower.
    seed
        Seed of the forged rows.

    Returns
    -------
    tuple
        The given rows first, then the forged ones, dtypes kept; and the label of each.
    """
    if not counts:
        return X, y
    wanted = pd.DataFrame({"label": list(counts), "count": list(counts.values())})
    forged = generator.table(wanted, seed=seed)[list(X.columns)].astype(X.dtypes)
    labels = np.repeat(wanted["label"].to_numpy(dtype=object), wanted["count"])
    return pd.concat([X, forged], ignore_index=True), np.concatenate([y, labels])
