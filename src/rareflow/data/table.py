"""A labelled table: the frame, what its columns are, and which one is the label."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rareflow.data.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

__all__ = ["Table", "hash_values", "joint_digest"]


@dataclass(frozen=True, eq=False)
class Table:
    """A labelled table as every part of rareflow passes it on.

    Parameters
    ----------
    frame
        Features and label, shape ``(rows, features + 1)``, index 0..rows-1, in file order.
    schema
        What the feature columns are.
    label
        The label column's name.
    name
        A short name fit for a registered model (lower case, dashes).
    notes
        What was done to the table on the way here, for the data card (one sentence each).
    simulated
        Whether the rows come from a simulator rather than from a measurement.
    """

    frame: pd.DataFrame
    schema: Schema
    label: str
    name: str = "table"
    notes: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def X(self) -> pd.DataFrame:  # noqa: N802 - the field's name for it
        """The feature columns, shape ``(rows, features)``."""
        return self.frame[self.schema.names]

    @property
    def y(self) -> pd.Series:
        """The label of each row, shape ``(rows,)``."""
        return self.frame[self.label]

    @cached_property
    def labels(self) -> NDArray[np.object_]:
        """The label of each row as text, shape ``(rows,)``: how classes are named on every screen."""
        return self.y.astype(str).to_numpy(dtype=object)

    @cached_property
    def class_counts(self) -> dict[str, int]:
        """Rows of each class by its name as text, the largest class first, ties by name."""
        names, counts = np.unique(self.labels.astype(str), return_counts=True)
        order = np.lexsort((names, -counts))
        return {str(names[i]): int(counts[i]) for i in order}

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of names, dtypes and values: equal tables have equal digests."""
        values = (hash_values(self.frame[name]).tobytes() for name in self.frame.columns)
        return joint_digest(self.label, self.frame.dtypes, values)

    def take(self, rows: NDArray[np.intp]) -> Table:
        """Give the table of these rows, in this order, under the same schema."""
        return replace(self, frame=self.frame.iloc[rows].reset_index(drop=True))

    def through(self, step: Callable[[pd.DataFrame], pd.DataFrame]) -> Table:
        """Give the table after a step more, under the same schema."""
        return replace(self, frame=step(self.frame))

    @property
    def head(self) -> pd.DataFrame:
        """The columns with their dtypes, and no row."""
        return self.frame.iloc[:0]

    @property
    def clocks(self) -> tuple[str, ...]:
        """The schema's clocks."""
        return self.schema.clocks

    def __len__(self) -> int:
        return len(self.frame)


def hash_values(column: pd.Series) -> NDArray[np.uint64]:
    """Hash each value to 64 bits, ``(rows,)``, the same wherever it stands."""
    return np.asarray(pd.util.hash_pandas_object(column, index=False), dtype=np.uint64)


def joint_digest(label: str, dtypes: pd.Series, columns: Iterable[bytes]) -> str:
    """Give the SHA-256 of a label's name and of each column's name, dtype and what stands for its values."""
    digest = hashlib.sha256(label.encode())
    for (name, dtype), values in zip(dtypes.items(), columns, strict=True):
        digest.update(f"\0{name}\0{dtype}\0".encode())
        digest.update(values)
    return digest.hexdigest()
