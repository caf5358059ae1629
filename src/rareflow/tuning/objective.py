"""What a candidate is worth: mean macro-F1 of the detectors on inner splits of the training part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from rareflow.data.splits import Split
from rareflow.data.table import Table
from rareflow.errors import lacks_memory
from rareflow.evaluation.balance import forge, new_rows
from rareflow.evaluation.detectors import DETECTORS, evaluate_detectors, mean_macro_f1
from rareflow.evaluation.metrics import Scores
from rareflow.generators.estimators import VAEWGANGP, fit_together
from rareflow.generators.inputs import training_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from rareflow.generators.training import Step
    from rareflow.tuning.space import Candidate

__all__ = ["Objective", "Repeat"]

_CHEAP = ("dt", "xgb")  # 0.02 s and 0.4 s on 8,000 rows of 26 columns; a forest takes 0.5 s


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
        Wall time; where several splits' generators are trained at once, the first one's holds it all.
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
    # What no candidate changes, by split: its two parts, and the scores where nothing is forged.
    _cut: dict[int, tuple[Table, Table]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _raw: dict[int, dict[str, Scores]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def cheapest_first(self) -> tuple[str, ...]:
        """The detectors in the order of their fits, what a bad candidate may be spared last."""
        first = tuple(name for name in _CHEAP if name in self.detectors)
        return first + tuple(name for name in self.detectors if name not in _CHEAP)

    @property
    def test_ratio(self) -> float:
        """Test rows by training rows, the mean of the splits."""
        return sum(len(split.test) / len(split.train) for split in self.splits) / len(self.splits)

    def repeats(
        self,
        candidate: Candidate,
        *,
        on_step: Callable[[int, Step], None] = lambda _repeat, _step: None,
        on_score: Callable[[Scores], None] = lambda _scores: None,
    ) -> Iterator[Repeat]:
        """Score a candidate split by split, so that the caller may report, prune or stop in between.

        On a GPU the generators of all splits are trained in one program before the first split is scored; one
        that diverges ends the work before any score. Where its memory does not hold them together, they are
        trained one by one, from their first steps.

        Parameters
        ----------
        candidate
            What to score.
        on_step
            Hears of every generator step, with the number of its split, from 0.
        on_score
            Hears of every detector's scores, in the order of `cheapest_first`, before their split is given.
            An exception of either ends the work.
        """
        start = time.perf_counter()
        generators = self._fitted_at_once(candidate, on_step)
        for i in range(len(self.splits)):
            found = self._fitted(candidate, [i], on_step) if generators is None else generators
            scores = self._scored(candidate, i, found.get(i), on_score)
            yield Repeat(mean_macro_f1(scores), scores, found.get(i), time.perf_counter() - start)
            start = time.perf_counter()

    def repeat(self, candidate: Candidate, i: int) -> float:
        """Give a candidate's value on split i alone: on a CPU the same bits as among all."""
        generators = self._fitted(candidate, [i], lambda _repeat, _step: None)
        return mean_macro_f1(self._scored(candidate, i, generators.get(i), lambda _scores: None))

    def _fitted_at_once(
        self, candidate: Candidate, on_step: Callable[[int, Step], None]
    ) -> dict[int, VAEWGANGP] | None:
        """Train the generators of all splits together on a GPU; ``None`` if its memory does not hold them."""
        if training_device(self.device).type != "cuda":
            return None
        try:
            return self._fitted(candidate, range(len(self.splits)), on_step)
        except Exception as err:
            if not lacks_memory(err):
                raise
            return None

    def _fitted(
        self, candidate: Candidate, splits: Sequence[int], on_step: Callable[[int, Step], None]
    ) -> dict[int, VAEWGANGP]:
        """Train a generator for each of the splits on which the candidate forges a row."""
        forging = [i for i in splits if self._counts(candidate, i)]
        generators = [
            VAEWGANGP(**candidate.generator, device=self.device, random_state=self.seed + i) for i in forging
        ]
        tables = [(train.X, train.y) for train, _ in map(self._parts, forging)]
        fit_together(generators, tables, on_step=lambda number, step: on_step(forging[number], step))
        return dict(zip(forging, generators, strict=True))

    def _counts(self, candidate: Candidate, i: int) -> dict[str, int]:
        """Give the rows to forge for each class of split i."""
        return new_rows(self._parts(i)[0].class_counts, candidate.class_rows)

    def _scored(
        self, candidate: Candidate, i: int, generator: VAEWGANGP | None, on_score: Callable[[Scores], None]
    ) -> dict[str, Scores]:
        """Train the detectors with a generator's rows, or without any, and score them."""
        if generator is None and i in self._raw:
            for name in self.cheapest_first:
                on_score(self._raw[i][name])
            return self._raw[i]
        (train, test), seed = self._parts(i), self.seed + i
        X, y = train.X, train.labels
        if generator is not None:
            counts = self._counts(candidate, i)
            X, y = forge(X, y, counts, generator=generator.generator_, seed=seed)
        found = evaluate_detectors(
            X, y, test.X, test.labels,
            labels=list(self.table.class_counts), detectors=self.cheapest_first, seed=seed,
            n_threads=self.n_threads, on_score=lambda _name, scores: on_score(scores),
        )  # fmt: skip
        scores = {name: found[name] for name in self.detectors}
        if generator is None:
            self._raw[i] = scores
        return scores

    def _parts(self, i: int) -> tuple[Table, Table]:
        """Give the training and the test part of split i, cut once."""
        if i not in self._cut:
            split = self.splits[i]
            self._cut[i] = self.table.take(split.train), self.table.take(split.test)
        return self._cut[i]

    def values(self, candidate: Candidate) -> list[float]:
        """Give a candidate's value on each split."""
        return [repeat.value for repeat in self.repeats(candidate)]
