"""A sample of a table that is too large: the largest classes are thinned, the rare ones keep every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["quotas", "sampled"]


def quotas(size: NDArray[np.intp], max_rows: int) -> NDArray[np.intp]:
    """Give the rows that each class keeps: the largest classes are cut down to one common size.

    Parameters
    ----------
    size
        Rows of each class, ``(classes,)``.
    max_rows
        Sum of what is kept, between the number of classes and that of rows.
    """
    ordered = np.sort(size)
    before = np.cumsum(ordered) - ordered
    # Were the classes from here on all cut to the size of this one, so many rows would be kept.
    kept = before + ordered * np.arange(len(size), 0, -1)
    first = int(np.searchsorted(kept, max_rows, side="right"))
    if first == len(size):
        return size.copy()
    cap, left = divmod(max_rows - int(before[first]), len(size) - first)
    quota = np.minimum(size, cap)
    # The rows that an equal cap leaves over go one each to the largest classes.
    quota[np.argsort(-size, kind="stable")[:left]] += 1
    return quota


def sampled(
    frames: Iterable[pd.DataFrame],
    label: str,
    counts: Mapping[str, int],
    kept: Mapping[str, int],
    *,
    seed: int,
) -> Iterator[pd.DataFrame]:
    """Yield the rows drawn, in their order.

    What is held is the numbers of the rows drawn, each counted within its class, and never all rows' labels.

    Parameters
    ----------
    frames, label
        The table, frame by frame, and its label column's name.
    counts, kept
        Rows that each class has, by its name as text, and how many of them are drawn.
    seed
        Equal seeds draw equal rows, however the frames are cut; a class's draw depends on no other class.
    """
    drawn = {name: _draw(counts[name], kept[name], [seed, *f"rows of {name}".encode()]) for name in counts}
    done = dict.fromkeys(counts, 0)
    for frame in frames:
        codes, names = pd.factorize(frame[label].astype("str"))
        taken = [np.empty(0, dtype=np.intp)]
        for code, name in enumerate(names):
            rows = np.flatnonzero(codes == code)
            first, last = np.searchsorted(drawn[name], [done[name], done[name] + len(rows)])
            taken.append(rows[drawn[name][first:last] - done[name]])
            done[name] += len(rows)
        yield frame.iloc[np.sort(np.concatenate(taken))]


def _draw(count: int, kept: int, seed: list[int]) -> NDArray[np.intp]:
    """Draw row numbers below `count`, sorted, shape ``(kept,)``."""
    if kept == count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, kept, replace=False, shuffle=False))
