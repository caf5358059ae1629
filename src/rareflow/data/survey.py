"""What a data card tells of a table beyond its class counts, gathered while its frames go by."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rareflow.data.schema import ColumnTally, Schema
from rareflow.data.table import hash_values, joint_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from rareflow.data.stream import Stream
    from rareflow.data.table import Table

__all__ = ["Survey"]

_DIGESTED_ROWS = 1_000_000  # of no more rows a hash of each value is held, as a `Table`'s digest needs it
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Survey:
    """A table's facts. They hold for the rows that went through `watch`.

    Parameters
    ----------
    table
        What the rows are of; they have yet to go through `watch`.
    """

    def __init__(self, table: Table | Stream) -> None:
        self.label, self.name, self.notes = table.label, table.name, table.notes
        self.simulated, self.class_counts, self.clocks = table.simulated, table.class_counts, table.clocks
        head = table.head
        self._tallies = [ColumnTally(name, head[name].dtype) for name in head.columns if name != self.label]
        self._dtypes = head.dtypes
        self.is_joint = len(table) <= _DIGESTED_ROWS
        self._digests: dict[str, Any] = {
            name: bytearray() if self.is_joint else hashlib.sha256() for name in head.columns
        }
        self._vectors: list[NDArray[np.uint64]] = []
        self._codes: list[NDArray[np.int32]] = []

    @classmethod
    def of(cls, table: Table) -> Survey:
        """Survey a table that is held."""
        survey = cls(table)
        for _ in survey.watch([table.frame]):
            pass
        return survey

    def watch(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Pass frames on, and take note of them.

        Raises
        ------
        DataError
            If a column holds an infinite number.
        """
        for frame in frames:
            self._add(frame)
            yield frame

    def _add(self, frame: pd.DataFrame) -> None:
        vectors = np.zeros(len(frame), dtype=np.uint64)
        for name in frame.columns:
            hashes = hash_values(frame[name])
            if self.is_joint:
                self._digests[name] += hashes.tobytes()
            else:
                self._digests[name].update(hashes)
            if name not in (self.label, *self.clocks):
                vectors = vectors * _FACTOR + hashes
        self._vectors.append(vectors)
        names = pd.Index(self.class_counts, dtype=object)
        labels = frame[self.label].astype("str").to_numpy(dtype=object)
        self._codes.append(names.get_indexer(pd.Index(labels, dtype=object)).astype(np.int32))
        for tally in self._tallies:
            tally.add(frame[tally.name])

    @property
    def schema(self) -> Schema:
        """What the feature columns are."""
        return Schema(tuple(tally.column for tally in self._tallies), self.clocks)

    @property
    def missing(self) -> dict[str, int]:
        """Missing values of each feature column."""
        return {tally.name: tally.missing for tally in self._tallies}

    @cached_property
    def duplicates(self) -> tuple[int, int]:
        """Rows whose features, clocks left out, occur in an earlier row too; vectors under several labels.

        Rows are compared by a hash of 64 bits, which is what is held of them.
        """
        vectors, codes = np.concatenate(self._vectors), np.concatenate(self._codes)
        order = np.argsort(vectors)
        vectors, codes = vectors[order], codes[order]
        first = np.flatnonzero(np.concatenate([[True], vectors[1:] != vectors[:-1]]))
        several = np.minimum.reduceat(codes, first) != np.maximum.reduceat(codes, first)
        return len(vectors) - len(first), int(several.sum())

    @property
    def digest(self) -> str:
        """A `Table`'s digest, or of more rows that of its columns' digests (`is_joint` says which)."""
        parts = (bytes(part) if self.is_joint else part.digest() for part in self._digests.values())
        return joint_digest(self.label, self._dtypes, parts)

    def __len__(self) -> int:
        return sum(self.class_counts.values())
