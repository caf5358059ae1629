"""What a candidate is worth: mean macro-F1 of the detectors on inner splits of the training part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rareflow.data.splits import Split
from rareflow.data.table import Table
from rareflow.evaluation.balance import forge, new_rows
from rareflow.evaluation.detectors import DETECTORS, evaluate_detectors, macro_f1
from rareflow.evaluation.metrics import Scores
from rareflow.generators.estimators import VAEWGANGP

if TYPE_CHECKING:
    from collections.abc import Callable

    from rareflow.generators.training import Step
    from rareflow.tuning.space import Candidate

__all__ = ["Objective", "Repeat"]


@dataclass(frozen=True)
class Repeat:
    """A candidate on one inner split.

    Parameters
    ----------
    value
        Mean macro-F1 over the detectors, 0..1.
    scores
        By detector.
    generator
        The generator that was fitted for it; ``None`` where no class is short of rows, as in RAW.
    seconds
        Wall time.
    """

    value: float
    scores: dict[str, Scores]
    generator: VAEWGANGP | None
    seconds: float


@dataclass(frozen=True)
class Objective:
    """Scores candidates on the inner splits of one training part.

    Codec, generator and detectors see the inner training rows only.

    Parameters
    ----------
    table
        The training part.
    splits
        Inner splits of it; every candidate meets the same ones in the same order.
    seed
        Seed of generators and detectors; split i takes ``seed + i``.
    n_threads
        Threads of each detector.
    device
        The generator's.
    detectors
        Detectors by name.
    """

    table: Table
    splits: Sequence[Split]
    seed: int
    n_threads: int = 1
    device: str = "auto"
    detectors: tuple[str, ...] = DETECTORS

    def repeats(
        self, candidate: Candidate, *, on_step: Callable[[Step], None] | None = None
    ) -> Iterator[Repeat]:
        """Score a candidate split by split, so that the caller may report, prune or stop in between."""
        labels = list(self.table.class_counts)
        for i, split in enumerate(self.splits):
            start, seed = time.perf_counter(), self.seed + i
            train, test = self.table.take(split.train), self.table.take(split.test)
            X, y, generator = train.X, train.labels, None
            if counts := new_rows(train.class_counts, candidate.class_rows):
                generator = VAEWGANGP(**candidate.generator, device=self.device, random_state=seed)
                generator.fit(X, train.y, on_step=on_step)
                X, y = forge(X, y, counts, generator=generator.generator_, seed=seed)
            scores = evaluate_detectors(
                X, y, test.X, test.labels,
                labels=labels, detectors=self.detectors, seed=seed, n_threads=self.n_threads,
            )  # fmt: skip
            yield Repeat(macro_f1(scores), scores, generator, time.perf_counter() - start)

    def mean(self, candidate: Candidate) -> float:
        """Give a candidate's mean value over all splits."""
        return float(np.mean([repeat.value for repeat in self.repeats(candidate)]))
