"""What a benchmark computes: its settings, its cells in order, and what all its figures have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rareflow.errors import ConfigError
from rareflow.evaluation.augmenters.registry import augmenter, known_augmenters
from rareflow.evaluation.balance import CLASS_ROWS, CLASS_SHARE
from rareflow.evaluation.benchmark import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rareflow.data.table import Table
    from rareflow.workflows.settings import Settings

__all__ = [
    "ALL",
    "BenchmarkSettings",
    "Cell",
    "cells_of",
    "facts_of",
    "parse_shots",
    "protocol_of",
    "shots_text",
    "splits_text",
]

ALL = "all"
_FORMAT = 1  # of the files; raised when they change their meaning


@dataclass(frozen=True)
class Cell:
    """One entry of the benchmark.

    Parameters
    ----------
    shots
        Rows that every class but the largest keeps; ``None`` for all.
    seed
        Of the split, the shots, the augmenter and the detectors.
    augmenter
        By name.
    """

    shots: int | None
    seed: int
    augmenter: str


@dataclass(frozen=True)
class BenchmarkSettings:
    """The settings of a benchmark.

    Parameters
    ----------
    shots
        Training rows that every class but the largest is cut to, each >= 1 or ``all``.
    seeds
        Number of seeds, >= 1; the first is the common ``seed``.
    augmenters
        Names of the registry; empty: all of them.
    detectors
        Names or import paths, at least one.
    repeats
        Inner splits that an amount is chosen on, >= 1.
    jobs
        Processes, >= 1.
    out
        Folder of the results, made if it is new and continued if it is not.
    fidelity
        Whether forged rows are compared with real ones too.

    Raises
    ------
    ConfigError
        If no shots or detectors are named, or an unknown one of shots or augmenters.
    """

    shots: tuple[str, ...]
    seeds: int
    augmenters: tuple[str, ...]
    detectors: tuple[str, ...]
    repeats: int
    jobs: int
    out: str
    fidelity: bool

    def __post_init__(self) -> None:
        for option in ("shots", "detectors"):
            if not getattr(self, option):
                raise ConfigError(f"--{option} names none; give at least one")
        parse_shots(self.shots)
        for name in self.augmenters:
            augmenter(name)


def parse_shots(words: Iterable[str]) -> tuple[int | None, ...]:
    """Read numbers of rows, the smallest first; ``all`` is ``None`` and comes last.

    Raises
    ------
    ConfigError
        If a word is neither a whole number of at least 1 nor ``all``.
    """
    numbers, every = set(), False
    for word in words:
        if word == ALL:
            every = True
        elif word.isdecimal() and int(word) > 0:
            numbers.add(int(word))
        else:
            raise ConfigError(f"--shots {word!r} is neither a number from 1 nor all; give some, as 10,25,all")
    return (*sorted(numbers), *([None] if every else []))


def shots_text(shots: int | None) -> str:
    """Write a number of shots as the files have it."""
    return ALL if shots is None else str(shots)


def splits_text(repeats: int) -> str:
    """Write a number of inner splits as people read it."""
    return "1 inner split" if repeats == 1 else f"{repeats} inner splits"


def cells_of(how: BenchmarkSettings, first_seed: int) -> list[Cell]:
    """Give the cells by shots, then seed, then augmenter in the order of the tables."""
    names = tuple(dict.fromkeys(how.augmenters)) or known_augmenters()
    return [
        Cell(shots, seed, name)
        for shots in parse_shots(how.shots)
        for seed in range(first_seed, first_seed + how.seeds)
        for name in names
    ]


def protocol_of(settings: Settings, how: BenchmarkSettings) -> Protocol:
    """Give how every cell is computed."""
    return Protocol(
        detectors=tuple(dict.fromkeys(how.detectors)),
        split=settings.split,
        test_size=settings.test_size,
        repeats=how.repeats,
        n_threads=settings.n_threads,
        device=settings.device,
    )


def facts_of(table: Table, test: Table | None, protocol: Protocol, *, fidelity: bool) -> dict[str, Any]:
    """Give what all results of a folder have in common, without a path: other facts, other figures.

    But for ``test_notes``, if there are any, which say what was done to the test part alone, as which rows
    were left out: the digests are of what is left.
    """
    notes = [note for note in test.notes if note not in table.notes] if test else []
    return {
        "format": _FORMAT,
        "table": table.name,
        "digest": table.digest,
        "simulated": table.simulated,
        "class_counts": table.class_counts,
        "test_digest": test.digest if test else None,
        "test_class_counts": test.class_counts if test else None,
        "split": protocol.split,
        "test_size": None if test else protocol.test_size,
        "detectors": list(protocol.detectors),
        "repeats": protocol.repeats,
        "inner_rows": protocol.inner_rows,
        "class_rows": CLASS_ROWS,
        "class_share": CLASS_SHARE,
        "fidelity": fidelity,
        **({"test_notes": notes} if notes else {}),
    }
