"""What is asked of a generator: how many rows of which class, checked before any is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .spec import HOTTEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = ["Wanted", "as_whole", "check_wanted", "read_counts", "read_seed"]

_BATCH_ROWS = 65_536  # a frame's: one thread draws it, from a random source of its own
_MOST_COUNT = 2**63 - 1


@dataclass(frozen=True)
class Wanted:
    """Rows wanted of one class, by its number, and where their random numbers come from."""

    index: int
    count: int
    seed: np.random.SeedSequence

    def batches(self) -> Iterator[tuple[int, np.random.SeedSequence]]:
        """Give the rows of each batch, at least one batch, and its own random source."""
        for start in range(0, max(self.count, 1), _BATCH_ROWS):
            yield min(_BATCH_ROWS, self.count - start), self.seed.spawn(1)[0]


def read_counts(
    counts: pd.DataFrame, classes: list[str], seed: int | None, temperature: float
) -> list[Wanted]:
    """Read a frame of counts, as `PortableGenerator.table` takes it; nothing wanted is no row of a class.

    Each row of it has a random source of its own.
    """
    if not {"label", "count"} <= set(counts.columns):
        raise ValueError(f"the counts need columns 'label' and 'count', not {list(counts.columns)}")
    pairs = list(zip(counts["label"].astype(str), counts["count"], strict=True))
    whole = read_seed(seed)
    return [
        Wanted(
            *check_wanted(label, count, temperature, classes),
            np.random.SeedSequence(None if whole is None else [whole, i]),
        )
        for i, (label, count) in enumerate(pairs or [(classes[0], 0)])
    ]


def check_wanted(
    label: str,
    count: Any,  # noqa: ANN401 - what a user gave
    temperature: float,
    classes: list[str],
) -> tuple[int, int]:
    """Refuse what cannot be drawn; give the class's number and the count."""
    if not isinstance(label, str) or label not in classes:  # a missing one equals nothing
        raise ValueError(f"{label=} is not a class of this generator; its classes are {classes}")
    if not isinstance(temperature, int | float | np.number) or not 0 <= temperature <= HOTTEST:
        raise ValueError(f"temperature must be a number from 0 to {HOTTEST:.0f}, not {temperature=}")
    whole = as_whole(count)
    if whole is None or whole > _MOST_COUNT:
        shown = repr(count) if isinstance(count, str) else str(count)
        raise ValueError(f"count of {label=} must be a whole number from 0 to {_MOST_COUNT}, not {shown:.40}")
    return classes.index(label), whole


def read_seed(seed: Any) -> int | None:  # noqa: ANN401 - what a user gave
    """Give the seed, ``None`` as it is; refuse what is none."""
    if seed is None:
        return None
    whole = as_whole(seed)
    if whole is None:
        raise ValueError(f"seed must be a whole number from 0, or None to draw afresh, not {seed=!s:.40}")
    return whole


def as_whole(value: Any) -> int | None:  # noqa: ANN401 - what a user gave
    """Give a whole number from 0; ``None``: it is none. A whole float is one: frames make floats of them."""
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):  # missing, no number, infinite
        return None
    return whole if whole >= 0 and whole == value else None
