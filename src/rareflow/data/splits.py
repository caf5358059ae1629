"""Splits of a table into a training and a test part, by rows, by groups of equal rows or by runs of rows.

What may not be torn apart is a *unit*: one row (``random``), all rows with equal features (``grouped``), or
a run of consecutive rows (``blocked``). Classes choose their test units one after the other, the one with
the fewest units first, because it has the least choice; a unit that holds several classes is placed by the
first of them, and the later ones reckon with what is placed already.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rareflow.data.sample import quotas
from rareflow.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rareflow.data.table import Table

__all__ = ["KINDS", "Split", "inner_splits", "split_table"]

KINDS = ("random", "grouped", "blocked")
_UNDECIDED, _TRAIN, _TEST = -1, 0, 1
# Where units are large or classes share them, a draw may leave a class one side only, or miss the test size;
# another may not.
_DRAWS = 20
_NEAR = 0.01


@dataclass(frozen=True)
class Split:
    """Which rows of a table train and which test.

    Parameters
    ----------
    train, test
        Row numbers, sorted, without a row in common.
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def split_table(
    table: Table, kind: str = "random", *, test_size: float = 0.3, seed: int = 0, block_rows: int = 10
) -> Split:
    """Split a table so that every class has rows on both sides.

    Parameters
    ----------
    table
        The table; its schema's clocks are left out where rows are compared.
    kind
        ``random`` stratifies single rows by class (the paper's protocol); ``grouped`` keeps rows with equal
        features on one side; ``blocked`` keeps runs of consecutive rows on one side.
    test_size
        Share of each class's rows that test, in (0, 1); met as nearly as units allow.
    seed
        Equal seeds give equal splits.
    block_rows
        Length of a ``blocked`` run in rows.

    Raises
    ------
    ConfigError
        If an argument is out of its range.
    DataError
        If a class cannot have rows on both sides: it has one unit, or other classes decide over all of them.
    """
    _check(kind, test_size, block_rows)
    unit = _units(table, kind, block_rows)
    rows = np.arange(len(table))
    rng = np.random.default_rng(seed)
    return _split(table, rows, unit, kind=kind, test_size=test_size, rng=rng, lone_trains=False)


def inner_splits(
    table: Table,
    kind: str,
    *,
    repeats: int,
    test_size: float = 0.3,
    seed: int,
    max_rows: int | None = None,
    block_rows: int = 10,
) -> list[Split]:
    """Split a training part again and again, for tuning.

    Unlike in `split_table`, a class that cannot be on both sides goes to the inner training side.

    Parameters
    ----------
    table
        The training part.
    kind, test_size, block_rows
        As in `split_table`; blocks are counted along the rows of this table.
    repeats
        Number of splits, at least 1.
    seed
        Equal seeds give equal lists.
    max_rows
        If the table has more rows, only so many are used, the same in every split: the largest classes are
        thinned to one common size, smaller ones keep every row. At least two for each class.

    Raises
    ------
    ConfigError
        If an argument is out of its range.
    DataError
        If no class at all can be on both sides.
    """
    _check(kind, test_size, block_rows)
    if repeats < 1:
        raise ConfigError(f"the number of inner splits must be at least 1, not {repeats}")
    first, *others = np.random.SeedSequence(seed).spawn(repeats + 1)
    rows = np.arange(len(table))
    if max_rows is not None and max_rows < len(table):
        rows = _thin(table, max_rows, np.random.default_rng(first))
    unit = _units(table, kind, block_rows)[rows]
    return [
        _split(table, rows, unit, kind=kind, test_size=test_size, rng=rng, lone_trains=True)
        for rng in map(np.random.default_rng, others)
    ]


def _check(kind: str, test_size: float, block_rows: int) -> None:
    if kind not in KINDS:
        raise ConfigError(f"unknown split {kind!r}; choose --split {'|'.join(KINDS)}")
    if not 0 < test_size < 1:
        raise ConfigError(f"the test size must lie between 0 and 1, not {test_size}")
    if block_rows < 1:
        raise ConfigError(f"a block must have at least 1 row, not {block_rows}")


def _units(table: Table, kind: str, block_rows: int) -> NDArray[np.intp]:
    """Give each row the number of its unit, shape ``(rows,)``."""
    if kind == "random":
        return np.arange(len(table))
    if kind == "blocked":
        return (np.arange(len(table)) // block_rows).astype(np.intp)
    compared = [name for name in table.schema.names if name not in table.schema.clocks]
    if not compared:
        return np.zeros(len(table), dtype=np.intp)
    groups = table.frame.groupby(compared, sort=False, dropna=False, observed=True).ngroup()
    return np.asarray(groups, dtype=np.intp)


def _thin(table: Table, max_rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Choose `max_rows` rows, sorted: the largest classes are cut down to one common size."""
    code, names = pd.factorize(table.labels, sort=True)
    if max_rows < 2 * len(names):
        raise ConfigError(f"max_rows={max_rows} leaves less than 2 rows for each of {len(names)} classes")
    size = np.bincount(code)
    quota = quotas(size, max_rows)
    order = rng.permutation(len(code))
    order = order[np.argsort(code[order], kind="stable")]
    rank = np.arange(len(code)) - np.repeat(np.cumsum(size) - size, size)
    return np.sort(order[rank < np.repeat(quota, size)])


def _split(
    table: Table,
    rows: NDArray[np.intp],
    unit: NDArray[np.intp],
    *,
    kind: str,
    test_size: float,
    rng: np.random.Generator,
    lone_trains: bool,
) -> Split:
    """Split these rows by their units; `lone_trains` says whether a one-sided class trains or is refused."""
    code, names = pd.factorize(table.labels[rows], sort=True)
    unit = pd.factorize(unit)[0]
    members = _Members(unit, code)
    side = members.best_of_draws(test_size, rng)
    for one_sided in members.one_sided(side):
        if not lone_trains:
            is_lone = int((code == one_sided).sum()) == 1
            raise _one_sided_error(str(names[one_sided]), members.count[one_sided], kind, is_lone=is_lone)
        side[members.units_of(one_sided)] = _TRAIN
    test = side[unit] == _TEST
    if not test.any():
        raise DataError(
            f"no class has rows enough for a {kind} split of the training part; "
            "take another --split, or more rows"
        )
    return Split(rows[~test], rows[test])


def _one_sided_error(name: str, count: int, kind: str, *, is_lone: bool) -> DataError:
    units = {"random": "rows", "grouped": "groups of equal rows", "blocked": "blocks of consecutive rows"}
    remedy = "use --rare-classes drop" if is_lone else "take another --split"
    return DataError(
        f"class {name!r} cannot be both trained and tested by a {kind} split "
        f"({units[kind]} that hold it: {count}); {remedy}"
    )


class _Members:
    """Which classes each unit holds, and how many rows of each.

    The (class, unit) pairs that occur are kept sorted by class, so that a class is one slice.
    """

    def __init__(self, unit: NDArray[np.intp], code: NDArray[np.intp]) -> None:
        self.n_units = int(unit.max()) + 1
        pairs, self.rows = np.unique(code * self.n_units + unit, return_counts=True)
        self.code, self.unit = np.divmod(pairs, self.n_units)
        self.count = np.bincount(self.code)
        edges = np.concatenate([[0], np.cumsum(self.count)])
        self._slices = [slice(start, stop) for start, stop in pairwise(edges)]

    def units_of(self, code: int) -> NDArray[np.intp]:
        """Give the units that hold a class."""
        return self.unit[self._slices[code]]

    def best_of_draws(self, test_size: float, rng: np.random.Generator) -> NDArray[np.intp]:
        """Place the units up to `_DRAWS` times; give the draw with the fewest one-sided classes.

        Ties go to the draw whose classes come nearest to the test size. A class of one unit is one-sided in
        any draw.
        """
        best, least = np.empty(0, dtype=np.intp), (np.inf, np.inf)
        for _ in range(_DRAWS):
            side = self.place(test_size, rng)
            one_sided = float((self.count[self.one_sided(side)] > 1).sum())
            excess = np.bincount(self.code, weights=self.rows * ((side[self.unit] == _TEST) - test_size))
            fault = (one_sided, np.abs(excess).sum() / self.rows.sum())
            if fault < least:
                best, least = side, fault
            if least <= (0, _NEAR):
                break
        return best

    def place(self, test_size: float, rng: np.random.Generator) -> NDArray[np.intp]:
        """Choose a side for every unit, shape ``(units,)``, the class with the fewest units first."""
        side = np.full(self.n_units, _UNDECIDED)
        for code in np.argsort(self.count, kind="stable"):
            units, rows = self.units_of(code), self.rows[self._slices[code]]
            wanted = np.clip(np.rint(test_size * rows.sum()), 1, rows.sum() - 1)
            wanted -= rows[side[units] == _TEST].sum()
            free = rng.permutation(np.flatnonzero(side[units] == _UNDECIDED))
            taken = free[np.cumsum(rows[free]) <= wanted]
            if not len(taken) and len(units) > 1 and not (side[units] == _TEST).any():
                taken = free[:1]
            side[units[free]] = _TRAIN
            side[units[taken]] = _TEST
        return side

    def one_sided(self, side: NDArray[np.intp]) -> NDArray[np.intp]:
        """Give the classes that lack a side, the one with the fewest units first."""
        tested = np.bincount(self.code, weights=side[self.unit] == _TEST)
        lacking = np.flatnonzero((tested == 0) | (tested == self.count))
        return lacking[np.argsort(self.count[lacking], kind="stable")]
