"""Generator quality beside utility: fidelity and privacy of forged rows in one table, a row a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rareflow.evaluation.fidelity import FIDELITY, fidelity_by_class
from rareflow.evaluation.privacy import PRIVACY, privacy_by_class

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from rareflow.data.table import Table

__all__ = ["mean_quality", "quality_by_class"]


def quality_by_class(
    train: Table, held_out: Table, forged_X: pd.DataFrame, forged_y: NDArray[Any], *, seed: int
) -> pd.DataFrame:
    """Measure fidelity against held-out rows, and privacy of the training rows, for each forged class.

    Parameters
    ----------
    train
        What the forged rows were learned from.
    held_out
        Rows of the same columns that nothing was learned from; they are only measured with.
    forged_X, forged_y
        Forged features ``(rows, columns)`` and labels as text ``(rows,)``.
    seed
        Seed of every draw.

    Returns
    -------
    DataFrame
        Index ``class``, by name; columns ``train_rows``, ``held_out_rows``, ``forged_rows``, then those of
        `fidelity.FIDELITY` and `privacy.PRIVACY`; NaN where there are too few rows to measure.

    Raises
    ------
    DataError
        If features and labels differ in length, or a column is missing.
    """
    test_X, test_y = held_out.X, held_out.labels
    near = fidelity_by_class(test_X, test_y, forged_X, forged_y, seed=seed)
    leaks = privacy_by_class(train.X, train.labels, test_X, test_y, forged_X, forged_y, seed=seed)
    counts = [name for name in leaks.columns if name not in PRIVACY]
    return leaks[counts].join(near[list(FIDELITY)]).join(leaks[list(PRIVACY)])


def mean_quality(table: pd.DataFrame) -> dict[str, float]:
    """Average each measure over the classes that could be measured, as a tracker logs them.

    Parameters
    ----------
    table
        From `quality_by_class` or `fidelity.fidelity_by_class`.

    Returns
    -------
    dict
        ``fidelity_<measure>`` and ``privacy_<measure>``; NaN where no class could be measured.
    """
    kinds = {"fidelity": FIDELITY, "privacy": PRIVACY}
    return {
        f"{kind}_{name}": float(table[name].mean())
        for kind, names in kinds.items()
        for name in names
        if name in table.columns
    }
