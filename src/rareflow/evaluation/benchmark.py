"""The benchmark's protocol: one augmenter on one training part, its amount chosen on inner splits.

The test part only ever scores. An augmenter with several amounts is tried with each on inner splits of the
training part and takes the one with the best mean macro-F1 over the detectors there, as a study does. Chosen
for each detector alone, it was noise that chose: with ten rows a class, three held-out ones decided. Amount 0
is the table as it is, so nobody has to make it worse.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rareflow.data.shots import few_shots
from rareflow.data.splits import inner_splits, split_table
from rareflow.data.table import Table
from rareflow.evaluation.augmenters.base import TrainingSet
from rareflow.evaluation.augmenters.registry import augmenter
from rareflow.evaluation.comparison import check_test_classes
from rareflow.evaluation.detectors import DETECTORS, evaluate_detectors, mean_macro_f1
from rareflow.evaluation.metrics import Scores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rareflow.evaluation.augmenters.base import Augmenter

__all__ = ["CellResult", "Part", "Protocol", "make_part", "run_cell"]

_TIE = 1e-9


@dataclass(frozen=True)
class Protocol:
    """How every cell is computed.

    Parameters
    ----------
    detectors
        By name or import path.
    split, test_size
        See `rareflow.data.splits.split_table`; inner splits are of the same kind.
    repeats
        Inner splits to choose an amount on, at least 1.
    inner_rows
        A larger training part is thinned to so many rows for the inner splits, the largest classes first.
    n_threads
        Threads of each detector.
    device
        Where augmenters that are networks train.
    """

    detectors: tuple[str, ...] = DETECTORS
    split: str = "random"
    test_size: float = 0.3
    repeats: int = 2
    inner_rows: int = 5_000
    n_threads: int = 1
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Part:
    """What the cells of one number of shots and one seed share.

    Parameters
    ----------
    train, test
        The two parts; the first has been cut to its shots.
    inner
        Training and test side of each inner split of ``train``.
    raw_inner
        Mean macro-F1 over the detectors and the inner splits, nothing augmented, in 0..1.
    seed
        The cells' seed; inner split i takes ``seed + i``.
    """

    train: Table
    test: Table
    inner: tuple[tuple[Table, Table], ...]
    raw_inner: float
    seed: int


@dataclass(frozen=True, eq=False)
class CellResult:
    """What one cell gave.

    Parameters
    ----------
    amount
        The amount chosen, 0..1.
    scores
        Those on the test part, by detector.
    seconds
        Wall time of everything: choice, augmenter, detectors.
    forged
        The forged rows, ``(rows, columns)``, and the class of each as text, ``(rows,)``; ``None`` where no
        row was forged.
    """

    amount: float
    scores: dict[str, Scores]
    seconds: float
    forged: tuple[pd.DataFrame, NDArray[np.object_]] | None


def make_part(
    table: Table, protocol: Protocol, *, shots: int | None, seed: int, test: Table | None = None
) -> Part:
    """Split a table, cut the training part to its shots, and score it on its own inner splits as it is.

    Parameters
    ----------
    table
        The whole table; with an official test part, the training part.
    protocol
        How to split and what to score with.
    shots, seed
        Those of the cells.
    test
        An official test part; ``None`` splits ``table``.

    Raises
    ------
    ConfigError, DataError
        Those of splits, shots and detectors; and if classes occur in the test part only.
    """
    train = table
    if test is None:
        split = split_table(table, protocol.split, test_size=protocol.test_size, seed=seed)
        train, test = table.take(split.train), table.take(split.test)
    check_test_classes(train, test)
    if shots is not None:
        train = few_shots(train, shots, seed=seed)
    splits = inner_splits(
        train,
        protocol.split,
        repeats=protocol.repeats,
        test_size=protocol.test_size,
        seed=seed,
        max_rows=protocol.inner_rows,
    )
    inner = tuple((train.take(each.train), train.take(each.test)) for each in splits)
    raw = [
        mean_macro_f1(_evaluate(TrainingSet(own.X, own.labels), held_out, train, protocol, seed=seed + i))
        for i, (own, held_out) in enumerate(inner)
    ]
    return Part(train, test, inner, float(np.mean(raw)), seed)


def run_cell(part: Part, augmenter_name: str, protocol: Protocol) -> CellResult:
    """Choose the amount on the inner splits, then train on the whole training part and test.

    Parameters
    ----------
    part
        Made by `make_part` with the same protocol.
    augmenter_name
        See `rareflow.evaluation.augmenters.registry`.
    protocol
        What to score with.

    Raises
    ------
    ConfigError
        If the augmenter is unknown, or a detector cannot take what it gives.
    DataError, DivergedError
        If the augmenter cannot learn from the training part.
    """
    start = time.perf_counter()
    maker = augmenter(augmenter_name)
    maker.device = protocol.device
    amount = _chosen(part, maker, protocol)
    training = _tables(maker, part.train, [amount], seed=part.seed)[amount]
    scores = _evaluate(training, part.test, part.train, protocol, seed=part.seed)
    return CellResult(amount, scores, time.perf_counter() - start, _forged(training))


def _forged(training: TrainingSet) -> tuple[pd.DataFrame, NDArray[np.object_]] | None:
    """Give the forged rows and their classes, if there are any."""
    if not training.forged:
        return None
    first = len(training.X) - training.forged
    return training.X.iloc[first:].reset_index(drop=True), training.y[first:]


def _chosen(part: Part, maker: Augmenter, protocol: Protocol) -> float:
    """Give the amount of the best mean over the inner splits, of equals the smallest."""
    if len(maker.amounts) == 1:
        return maker.amounts[0]
    tried = sorted(set(maker.amounts) - {0})
    found: dict[float, list[float]] = {amount: [] for amount in tried}
    for i, (train, test) in enumerate(part.inner):
        seed = part.seed + i
        for amount, training in _tables(maker, train, tried, seed=seed).items():
            found[amount].append(mean_macro_f1(_evaluate(training, test, part.train, protocol, seed=seed)))
    means = {amount: float(np.mean(values)) for amount, values in found.items()}
    if 0 in maker.amounts:
        means[0.0] = part.raw_inner
    highest = max(means.values())
    return min(amount for amount, mean in means.items() if mean > highest - _TIE)


def _tables(
    maker: Augmenter, train: Table, amounts: Iterable[float], *, seed: int
) -> dict[float, TrainingSet]:
    """Give a training set for each amount, smallest first; nothing is learned for amount 0 alone."""
    tables = {amount: TrainingSet(train.X, train.labels) for amount in sorted(amounts)}
    if any(tables):
        maker.fit(train, seed=seed)
        tables |= {amount: maker.training_set(amount) for amount in tables if amount > 0}
    return tables


def _evaluate(
    training: TrainingSet, test: Table, known: Table, protocol: Protocol, *, seed: int
) -> dict[str, Scores]:
    """Score the detectors; classes are named in the order of ``known``, the whole training part."""
    how: dict[str, Any] = {
        "detectors": protocol.detectors,
        "seed": seed,
        "n_threads": protocol.n_threads,
        "weight": training.weight,
        "odds": training.odds,
    }
    labels = list(known.class_counts)
    return evaluate_detectors(training.X, training.y, test.X, test.labels, labels=labels, **how)
