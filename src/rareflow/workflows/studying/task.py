"""A study's task: its data, what a trial is worth, and what makes its scores comparable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rareflow.data.splits import inner_splits
from rareflow.data.table import Table
from rareflow.errors import ConfigError
from rareflow.tuning.objective import Objective
from rareflow.tuning.space import space_key

if TYPE_CHECKING:
    from rareflow.workflows.settings import Settings

__all__ = ["Task"]


@dataclass(frozen=True)
class Task:
    """What the trials of a study are about, the same for every worker.

    Parameters
    ----------
    table
        The whole table.
    train
        Its training part.
    search, fresh
        The objective of the trials, and that of the finalists, on splits that no trial saw.
    protocol
        How scores come about, in one line.
    """

    table: Table
    train: Table
    search: Objective
    fresh: Objective
    protocol: str

    @classmethod
    def read(cls, settings: Settings, *, repeats: int, tune_rows: int) -> Task:
        """Read and split the data.

        Parameters
        ----------
        settings
            How the table is read and parted.
        repeats
            Inner splits a trial is scored on, and fresh ones its finalists are.
        tune_rows
            Training rows used in a trial at most.
        """
        train = settings.train
        n_classes = len(train.class_counts)
        if tune_rows < 2 * n_classes:
            raise ConfigError(
                f"--tune-rows {tune_rows} leaves less than 2 rows for each of {n_classes} classes"
            )
        splits = inner_splits(
            train, settings.split, repeats=2 * repeats, test_size=settings.test_size, seed=settings.seed,
            max_rows=tune_rows,
        )  # fmt: skip
        search, fresh = (
            Objective(train, part, settings.seed, settings.n_threads, settings.device)
            for part in (splits[:repeats], splits[repeats:])
        )
        inner = (
            f"validation on {repeats} {settings.split} inner splits of at most {tune_rows} training rows, "
            f"test size {settings.test_size:g}"
        )
        return cls(settings.source.table, train, search, fresh, f"{settings.protocol}; {inner}")

    @property
    def facts(self) -> dict[str, str]:
        """What a study is about: trials belong together where these are equal."""
        return {
            "data_digest": self.table.digest,
            "protocol": self.protocol,
            "search_space": space_key(self.train.class_counts),
        }

    @property
    def name(self) -> str:
        """A study's name after data and protocol, so that the same command continues it."""
        key = hashlib.sha256("".join(self.facts.values()).encode()).hexdigest()[:10]
        return f"{self.table.name}-{key}"
