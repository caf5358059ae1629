"""The settings that several commands share, and what they open: the table, its split, the threads."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from threadpoolctl import threadpool_limits

from rareflow.data.load import load_table
from rareflow.data.splits import Split, split_table
from rareflow.data.table import Table

if TYPE_CHECKING:
    from rareflow.generators.portable import PortableGenerator

__all__ = ["DataSettings", "Settings", "limit_threads"]


@dataclass(frozen=True)
class DataSettings:
    """How a table is read; every field as in `rareflow.data.load.load_table`."""

    data: str
    label: str = ""
    drop: tuple[str, ...] = ()
    recipe: str = ""
    categorical: tuple[str, ...] = ()
    infinities: str = ""
    rare_classes: str = "error"
    rows: int | None = None
    seed: int = 0

    def like(self, generator: PortableGenerator) -> DataSettings:
        """Take the label's name from a generator where none is given."""
        return self if self.label or self.recipe else replace(self, label=generator.spec["label"]["name"])

    @cached_property
    def table(self) -> Table:
        """The table, read once."""
        return self.read(self.data)

    def read(self, data: str) -> Table:
        """Read another file as this one is read."""
        return load_table(
            data,
            label=self.label,
            drop=self.drop,
            recipe=self.recipe,
            categorical=self.categorical,
            infinities=self.infinities,
            rare_classes=self.rare_classes,
            rows=self.rows if data == self.data else None,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Settings:
    """What `train`, `tune` and `evaluate` share.

    Parameters
    ----------
    source
        How the table is read.
    test
        A file that is the test part; empty: a part of the table, by `split`.
    split
        ``random``, ``grouped`` or ``blocked``.
    test_size
        Share of the rows that test, within (0, 1).
    seed
        Seed of splits, generators, detectors and sampler.
    experiment
        The MLflow experiment.
    n_threads
        Threads of each process, >= 1.
    device
        ``auto``, ``cpu`` or ``cuda``.
    """

    source: DataSettings
    test: str = ""
    split: str = "random"
    test_size: float = 0.3
    seed: int = 0
    experiment: str = "rareflow"
    n_threads: int = 1
    device: str = "auto"

    @cached_property
    def parts(self) -> tuple[Table, Table]:
        """The training and the test part."""
        table = self.source.table
        if self.test:
            return table, self.source.read(self.test)
        split: Split = split_table(table, self.split, test_size=self.test_size, seed=self.seed)
        return table.take(split.train), table.take(split.test)

    @property
    def protocol(self) -> str:
        """How scores come about, in one line: two scores compare only where this is equal."""
        outer = f"test file {self.test}" if self.test else f"{self.split} split, test size {self.test_size:g}"
        return f"{outer}, seed {self.seed}"


def limit_threads(n_threads: int) -> None:
    """Hold this process, and those it starts, to so many threads: torch, BLAS and OpenMP alike."""
    os.environ["OMP_NUM_THREADS"] = str(n_threads)
    torch.set_num_threads(n_threads)
    threadpool_limits(n_threads)
