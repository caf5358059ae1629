"""The loops that are compiled: over rows, column by column, without the arrays that numpy would make between.

They check nothing: what points beyond an array is refused when a generator is made.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SLOPE",
    "Array",
    "add_lines",
    "find_largest",
    "judge",
    "leak",
    "mix",
    "narrow",
    "normalise",
    "put",
    "settle",
    "share",
    "straighten",
    "stretch",
    "unscale",
]

SLOPE = 0.2
"""What a leaky rectifier of any of the networks leaves of a negative number."""

_WHOLE = 2.0**53  # a double that is as large has no decimals
_DEEPEST = 64  # levels of any tree, so that no walk goes round for ever

Array = NDArray[Any]
_compiled = numba.njit(nogil=True, error_model="numpy")


@_compiled
def leak(h: Array, bias: Array) -> Array:  # pragma: no cover - compiled
    """Add a bias ``(H,)`` to ``(H, N)`` and apply the leaky rectifier, in place."""
    for j in range(len(h)):
        for i in range(h.shape[1]):
            x = h[j, i] + bias[j]
            h[j, i] = x if x > 0 else np.float32(SLOPE) * x
    return h


@_compiled
def add_lines(x: Array, ends: Array, p: Array, q: Array, t: Array) -> Array:  # pragma: no cover - compiled
    """Add to ``(D, N)``, in place, the point at t ``(N,)`` on the line from column p of the ends to q."""
    one = np.float32(1)  # an int would make all of it float64
    for j in range(len(x)):
        for i in range(x.shape[1]):
            x[j, i] += (one - t[i]) * ends[j, np.uintp(p[i])] + t[i] * ends[j, np.uintp(q[i])]
    return x


@_compiled
def normalise(x: Array, ends: Array) -> None:  # pragma: no cover - compiled
    """Divide each block of ``(D, N)`` by its sum."""
    total = np.empty(x.shape[1], x.dtype)
    for b in range(len(ends) - 1):
        for i in range(x.shape[1]):
            total[i] = 0
        for j in range(ends[b], ends[b + 1]):
            for i in range(x.shape[1]):
                total[i] += x[j, i]
        for j in range(ends[b], ends[b + 1]):
            for i in range(x.shape[1]):
                x[j, i] /= total[i]


@_compiled
def find_largest(x: Array, ends: Array, found: Array) -> None:  # pragma: no cover - compiled
    """Write to ``(B, N)`` which entry of each block of ``(D, N)`` is the (first) largest."""
    largest = np.empty(x.shape[1], x.dtype)
    for b in range(len(ends) - 1):
        for i in range(x.shape[1]):
            largest[i] = x[ends[b], i]
            found[b, i] = 0
        for j in range(ends[b] + 1, ends[b + 1]):
            for i in range(x.shape[1]):
                is_larger = x[j, i] > largest[i]
                largest[i] = x[j, i] if is_larger else largest[i]
                found[b, i] = j - ends[b] if is_larger else found[b, i]


@_compiled
def put(table: Array, rows: Array, found: Array, start: int) -> None:  # pragma: no cover - compiled
    """Write columns of ``(J, A)``, by number ``(N,)``, to a place in ``(J, M)``."""
    for j in range(len(table)):
        for i in range(len(rows)):
            found[j, start + i] = table[j, np.uintp(rows[i])]


@_compiled
def share(drawn: Array, table: Array, p: Array, q: Array) -> None:  # pragma: no cover - compiled
    """Write to ``(J, N)`` what columns p and q of ``(J, A)`` have in common."""
    for j in range(len(drawn)):
        for i in range(len(p)):
            own, one, other = drawn[j, i], table[j, np.uintp(p[i])], table[j, np.uintp(q[i])]
            drawn[j, i] = one if one == other else own


@_compiled
def mix(one: Array, other: Array, is_one: Array, group: Array) -> None:  # pragma: no cover - compiled
    """Overwrite ``(J, N)`` by another where the coin ``(G, N)`` of a row's group ``(J,)`` says so."""
    for j in range(len(one)):
        coin = is_one[group[j]]
        for i in range(one.shape[1]):
            a, b = one[j, i], other[j, i]  # both are read, whatever the coin says: without a jump
            one[j, i] = a if coin[i] else b


@_compiled
def unscale(
    scaled: Array, low: Array, high: Array, spread: Array, shift: Array, is_mirrored: bool, found: Array
) -> None:  # pragma: no cover - compiled
    """Write scaled scalars ``(S, N)``, within their range, as they were before their mean was taken off.

    What lies beyond an end is mirrored there or, further away than the range is wide, stands at it.
    """
    for j in range(len(scaled)):
        for i in range(scaled.shape[1]):
            x = np.float64(scaled[j, i])
            end = min(max(x, low[j]), high[j])
            mirrored = 2 * end - x
            is_within = is_mirrored and low[j] <= mirrored <= high[j]
            found[j, i] = (mirrored if is_within else end) * spread[j] + shift[j]


@_compiled
def _round(x: float, unit: float) -> float:  # pragma: no cover - compiled
    """Round to parts of one, if any; what is beyond 2**53 is whole, and a zero has no sign."""
    return np.rint(x * unit) / unit + 0.0 if unit and abs(x) < _WHOLE else x


@_compiled
def stretch(x: Array, centre: Array, factor: Array, units: Array) -> None:  # pragma: no cover - compiled
    """Stretch scalars ``(S, N)`` about their centres and round those that are counted in units, in place."""
    for j in range(len(x)):
        for i in range(x.shape[1]):
            x[j, i] = _round(centre[j] + factor[j] * x[j, i], units[j])


@_compiled
def straighten(
    nearer: Array, table: Array, p: Array, q: Array, t: Array, units: Array
) -> None:  # pragma: no cover - compiled
    """Move ``(S, N)`` to the point at t on the line from column p of ``(S, A)`` to q, where they differ."""
    for j in range(len(nearer)):
        for i in range(len(p)):
            own, one, other = nearer[j, i], table[j, np.uintp(p[i])], table[j, np.uintp(q[i])]
            # Rounding may carry it beyond the last float.
            line = _round((1 - t[i]) * one + t[i] * other, units[j])
            nearer[j, i] = own if (one == other) | np.isnan(line) else line


@_compiled
def settle(scalars: Array, modes: Array, places: Array, known: Array) -> None:  # pragma: no cover - compiled
    """Write the values of modes ``(B, N)`` to scalars ``(S, N)``, where the mode is a value."""
    for k in range(len(places)):
        scalar, block, start, count = places[k, 0], places[k, 1], places[k, 2], places[k, 3]
        for i in range(scalars.shape[1]):
            if modes[block, i] < count:
                scalars[scalar, i] = known[start + modes[block, i]]


@_compiled
def narrow(scalars: Array, found: Array) -> None:  # pragma: no cover - compiled
    """Write ``(S, N)`` as finite float32: missing is 0, and huge is the largest there is."""
    limit = np.float64(np.finfo(np.float32).max)
    for j in range(len(scalars)):
        for i in range(scalars.shape[1]):
            x = scalars[j, i]
            x = min(max(x, -limit), limit) if x == x else 0.0  # noqa: PLR0124 - only NaN is unlike itself
            found[j, i] = x


@_compiled
def judge(
    x: Array,
    ends: Array,
    roots: Array,
    feature: Array,
    threshold: Array,
    children: Array,
    value: Array,
    own: int,
    stages: Array,
    owed: Array,
    doubt: Array,
    lists: Array,
    rows: int,
    votes: Array,
    lead: Array,
) -> None:  # pragma: no cover - compiled
    """Write by how much a group leads the best other when a forest votes, ``(N,)``.

    All trees of a stage add up their votes for some rows of ``(F, N)``, the first in the third of the lists;
    then the rows leave whose lead, less what is owed to the other trees, is beyond doubt.
    """
    count, begin = np.uintp(rows), 0
    for stage in range(len(stages)):
        for tree in range(begin, stages[stage]):
            _vote(x, ends, roots[tree], feature, threshold, children, value, lists, count, votes)
        begin = stages[stage]
        count = _undecided(votes, own, owed[stage], doubt[stage], lists[2], count, lead)


@_compiled
def _undecided(
    votes: Array, own: int, owed: float, doubt: float, rows: Array, count: int, lead: Array
) -> int:  # pragma: no cover - compiled
    """Write by how much a group leads the best other of ``(N, G)``; keep and count what is in doubt."""
    kept: Any = np.uintp(0)
    for k in range(count):
        i = rows[k]
        best = np.float32(0)
        for c in range(votes.shape[1]):
            best = votes[i, c] if c != own and votes[i, c] > best else best
        lead[i] = votes[i, own] - best - owed
        rows[kept] = i
        kept += np.uintp(abs(lead[i]) <= doubt)
    return kept


@_compiled
def _vote(  # noqa: C901 - loops that a compiler wants in one function
    x: Array,
    ends: Array,
    root: int,
    feature: Array,
    threshold: Array,
    children: Array,
    value: Array,
    lists: Array,
    count: int,
    votes: Array,
) -> None:  # pragma: no cover - compiled
    """Walk rows ``(F, N)`` down one tree; add up its votes for each group, ``(N, G)``.

    The rows' numbers stand in the third of three lists ``(3, N)``. Each node parts them, out of one of the
    other two into the other: no jump depends on a row, so that a processor need not guess. A node on one side
    of the ends ``(F, 2)`` of its feature is passed. All numbers are unsigned: with others, which count from
    the end where they are negative, every access would have to ask.
    """
    zero, one, two = np.uintp(0), np.uintp(1), np.uintp(2)
    waiting, todo = np.empty((_DEEPEST, 5), np.uintp), zero
    node, start, stop, level, side = np.uintp(root), zero, np.uintp(count), zero, two
    while True:
        while level < _DEEPEST and start < stop:
            left, right = np.uintp(children[two * node]), np.uintp(children[two * node + one])
            if left == right == node:
                break
            level += one
            at, limit = np.uintp(feature[node]), threshold[node]
            if ends[at, 1] <= limit or ends[at, 0] > limit:
                node = left if ends[at, 1] <= limit else right
                continue
            rows, column = lists[side], x[at]
            side = one - side if side < two else zero
            parted, low, high = lists[side], start, stop - one
            for k in range(start, stop):
                i = rows[k]
                is_right = np.uintp(column[i] > limit)
                parted[low] = i
                parted[high] = i
                low += one - is_right
                high -= is_right
            waiting[todo, 0], waiting[todo, 1], waiting[todo, 2] = right, low, stop
            waiting[todo, 3], waiting[todo, 4] = level, side
            todo += one
            node, stop = left, low
        rows = lists[side]
        for k in range(start, stop):
            i = rows[k]
            for c in range(np.uintp(value.shape[1])):
                votes[i, c] += value[node, c]
        if not todo:
            return
        todo -= one
        node, start, stop = waiting[todo, 0], waiting[todo, 1], waiting[todo, 2]
        level, side = waiting[todo, 3], waiting[todo, 4]
