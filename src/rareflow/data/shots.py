"""Scarcity made on purpose: a training part whose rare classes keep a few rows each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rareflow.errors import ConfigError

if TYPE_CHECKING:
    from rareflow.data.table import Table

__all__ = ["few_shots"]


def few_shots(table: Table, shots: int, *, seed: int) -> Table:
    """Cut every class but the largest to a number of random rows.

    A class's rows are drawn by the seed and its own name, so other classes have no say in them; by one seed,
    the rows of fewer shots are among those of more.

    Parameters
    ----------
    table
        A training part; of several largest classes the first by name stays whole.
    shots
        Rows that a class keeps, at least 1; a class that has no more keeps them all.
    seed
        Seed of the draw, at least 0.

    Returns
    -------
    Table
        The rows kept, in the order of the table.

    Raises
    ------
    ConfigError
        If ``shots`` is below 1.
    """
    if shots < 1:
        raise ConfigError(f"a class must keep at least 1 row, not {shots}; give 1 or more shots")
    kept = []
    for place, label in enumerate(table.class_counts):  # the largest first
        rows = np.flatnonzero(table.labels == label)
        if place:
            rows = np.random.default_rng([seed, *label.encode()]).permutation(rows)[:shots]
        kept.append(rows)
    return table.take(np.sort(np.concatenate(kept)))
