"""How many rows each class gets, and the table balanced with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rareflow.generators.portable import PortableGenerator

__all__ = ["forge", "new_rows"]


def new_rows(class_counts: Mapping[str, int], growth: Mapping[str, float]) -> dict[str, int]:
    """Give the rows to forge for each class.

    Parameters
    ----------
    class_counts
        Rows of each class in the training table.
    growth
        Forged rows for each real one, by class, >= 0; a class that is not named is left alone.

    Returns
    -------
    dict
        Rows to forge, by class, only classes that get any. No class outgrows the largest one.
    """
    largest = max(class_counts.values())
    wanted = {
        label: min(round(growth.get(label, 0.0) * count), largest - count)
        for label, count in class_counts.items()
    }
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
