"""A labelled table whose rows have been checked, to be had frame by frame or as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rareflow.data.checks import Fate
from rareflow.data.sample import quotas, sampled
from rareflow.data.schema import Schema
from rareflow.data.source import Source
from rareflow.data.table import Table
from rareflow.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Stream"]

_FEWEST = 2  # rows of a class that a split needs


@dataclass(frozen=True)
class Stream:
    """A table as `Table` has it, but for its rows, which are read again whenever they are asked for.

    Parameters
    ----------
    source
        The rows as they stand in files.
    steps
        What is done to every frame of them, in order.
    label
        The label column's name.
    class_counts
        Rows of each class by its name as text, the largest class first, ties by name.
    fate
        What became of classes of one row.
    clocks, name, notes, simulated
        As a `Table`'s.
    """

    source: Source
    steps: tuple[Callable[[pd.DataFrame], pd.DataFrame], ...]
    label: str
    class_counts: Mapping[str, int]
    fate: Fate = field(default_factory=dict)
    clocks: tuple[str, ...] = ()
    name: str = "table"
    notes: tuple[str, ...] = ()
    simulated: bool = False

    @cached_property
    def head(self) -> pd.DataFrame:
        """The columns with their dtypes, and no row."""
        return self._clean(self.source.head)

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the rows in order, every frame with the dtypes and categories of the whole table."""
        for frame in self.source.frames():
            cleaned = self._clean(frame)
            if len(cleaned):
                yield cleaned

    def _clean(self, frame: pd.DataFrame) -> pd.DataFrame:
        for step in self.steps:
            frame = step(frame)
        return frame

    def through(self, step: Callable[[pd.DataFrame], pd.DataFrame]) -> Stream:
        """Give the table after a step more, which leaves the class counts as they are."""
        return replace(self, steps=(*self.steps, step))

    def table(self, max_rows: int | None = None, *, seed: int = 0) -> Table:
        """Hold the rows, or a sample of them.

        Parameters
        ----------
        max_rows
            If there are more rows, exactly so many are drawn: the largest classes are thinned to one common
            size, smaller ones keep every row. The notes say so. All rows by default.
        seed
            Equal seeds draw equal rows.

        Raises
        ------
        ConfigError
            If there are more rows, and so few are wanted that a class could be left with one.
        """
        frames, notes = self.frames(), self.notes
        if max_rows is not None and max_rows < len(self):
            kept = self._kept(max_rows)
            frames = sampled(frames, self.label, self.class_counts, kept, seed=seed)
            notes = (*notes, self._left_out(kept))
        frame = _joined(list(frames))
        features = frame.drop(columns=self.label)
        schema = Schema.infer(features, clocks=self.clocks)
        return Table(frame, schema, self.label, self.name, notes, self.simulated)

    def _kept(self, max_rows: int) -> dict[str, int]:
        """Give the rows that each class keeps."""
        if max_rows < _FEWEST * len(self.class_counts):
            raise ConfigError(
                f"--sample-rows {max_rows} leaves less than {_FEWEST} rows for each of "
                f"{len(self.class_counts)} classes"
            )
        quota = quotas(np.fromiter(self.class_counts.values(), dtype=np.intp), max_rows)
        return dict(zip(self.class_counts, quota.tolist(), strict=True))

    def _left_out(self, kept: Mapping[str, int]) -> str:
        thinned = ", ".join(
            f"{rows - kept[name]:,} of {rows:,} of class {name!r}"
            for name, rows in self.class_counts.items()
            if kept[name] < rows
        )
        return (
            f"A sample of {sum(kept.values()):,} of {len(self):,} rows (--sample-rows): random rows were "
            f"left out, {thinned}; every other class is whole."
        )

    def __len__(self) -> int:
        return sum(self.class_counts.values())


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0].reset_index(drop=True)
