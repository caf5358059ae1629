"""How rows of a class are drawn: the sampling modes, and straight lines between real rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import known, nearest
from .decoder import Decoder
from .kernels import add_lines, mix, put, settle, share, straighten
from .layout import Draw
from .scalars import Scalars
from .tensors import tensors_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .kernels import Array
    from .layout import Layout

__all__ = ["Sampling"]

_EVEN = 0.5


class Sampling:
    """Rows of one class, that no filter has seen.

    Parameters
    ----------
    spec, tensors
        A generator's; its sampling settings say in which mode rows are drawn.
    layout
        Of its codec vectors.
    """

    def __init__(self, spec: dict[str, Any], tensors: dict[str, Array], layout: Layout) -> None:
        self._spec, self._tensors, self._layout = spec, tensors, layout
        self._mode, self._snap_to = spec["sampling"]["mode"], spec["sampling"]["snap"]
        self.decoder = Decoder(tensors_of(tensors, "decoder."), spec["decoder"]["latent_dim"], layout)
        self.scalars = Scalars(
            tensors_of(tensors, "scalar."), spec["codec"], is_mirrored=self._mode != "prior"
        )

    def draw(
        self,
        index: int,
        count: int,
        rng: np.random.Generator,
        temperature: float = 1.0,
        *,
        cross: bool = True,
    ) -> Draw:
        """Draw rows of one class, by its number.

        Without `cross`, a row of mode ``crossover`` comes whole from one of its two sources. A class that the
        filter's forests found too rare for noise is drawn on straight lines.
        """
        entry = self._spec["classes"][index]
        own, is_observed = slice(*entry["anchors"]), self._snap_to == "observed"
        p, q = self.parents(own, count, rng)
        if own.stop - own.start == 1:
            return self.real(p)
        if entry["straight"]:
            return self.settle(self.straight(p, q, rng, is_observed=is_observed))
        draw = self.snap(self.codec_vectors(index, p, q, rng, temperature), own, p, q)
        if self._mode == "crossover":
            near = self.neighbours(p, rng)  # not any row: a class's different attacks do not mix
            other = self.straight(near, self.neighbours(near, rng), rng, is_observed=is_observed)
            self.cross(draw, other, rng, is_whole=not cross)
        return self.settle(draw)

    def draw_straight(self, index: int, count: int, rng: np.random.Generator) -> Draw:
        """Draw rows of one class, by its number, on straight lines between real rows alone."""
        p, q = self.parents(slice(*self._spec["classes"][index]["anchors"]), count, rng)
        return self.settle(self.straight(p, q, rng))

    def real(self, rows: Array) -> Draw:
        """Give real rows, by number ``(N,)``, as they are."""
        draw, rows = self._layout.room(len(rows)), rows.astype(np.intp, copy=False)
        put(self.anchors["raw"], rows, draw.scalars, 0)
        put(self.anchors["modes"], rows, draw.modes, 0)
        return draw

    def straight(self, p: Array, q: Array, rng: np.random.Generator, *, is_observed: bool = False) -> Draw:
        """Draw rows on the straight line between real rows in the table's own units, as SMOTE does.

        A mode, and a number that only one parent has, is the nearer parent's; so is every observed number.
        """
        t = rng.random(len(p))
        nearer = self.real(np.where(t < _EVEN, p, q))
        if self._layout.scalars and not is_observed:
            straighten(nearer.scalars, self.anchors["raw"], p, q, t, self.scalars.units)
            self.scalars.bound(nearer.scalars)
        return nearer

    def parents(
        self, own: slice, count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Choose a real row and one of its latent neighbours for each new row; rows take equal turns."""
        rows = np.arange(own.start, own.stop)
        turns = np.tile(rows, (-(-count // len(rows)), 1))
        p = rng.permuted(turns, axis=1).reshape(-1)[:count]
        return p, self.neighbours(p, rng)

    def neighbours(self, rows: Array, rng: np.random.Generator) -> NDArray[np.intp]:
        """Choose one of the latent neighbours of each real row."""
        neighbours = self._tensors["anchors.neighbours"]
        return neighbours[rows, rng.integers(0, neighbours.shape[1], len(rows))]

    def codec_vectors(
        self, index: int, p: Array, q: Array, rng: np.random.Generator, temperature: float
    ) -> Array:
        """Draw codec vectors ``(D, N)`` of one class, from the prior or near the real rows p and q."""
        mu, logvar = self.anchors["mu"], self.anchors["logvar"]
        t = rng.random(len(p), dtype=np.float32)
        noise = rng.standard_normal((len(mu), len(p)), dtype=np.float32) * np.float32(temperature)
        if self._mode == "prior":
            return self.decoder.decode(noise, index)
        noise *= np.float32(self._spec["sampling"]["noise"])
        if self._mode == "posterior":
            return self.decoder.decode(mu[:, p] + noise * np.exp(0.5 * logvar[:, p]), index)
        if self._mode == "interpolation":
            return add_lines(np.zeros((self._layout.width, len(p)), np.float32), self._vectors, p, q, t)
        deviations = add_lines(np.zeros_like(noise), logvar, p, q, t)
        deviations *= np.float32(0.5)
        noise *= np.exp(deviations, out=deviations)
        bent = self.decoder.decode(add_lines(noise, mu, p, q, t), index)
        if self._mode == "neighbours":
            return bent
        # What the decoder says beyond the straight line is added to it: its reconstruction error cancels.
        return add_lines(bent, self._errors, p, q, t)

    def snap(self, x: Array, own: slice, p: Array, q: Array) -> Draw:
        """Read rows off codec vectors: what both parents share is exact, or every value an observed one."""
        raw, s = self.anchors["raw"], self._layout.scalars
        if self._snap_to == "observed":
            x[s:][~self._vectors[s:, own].any(axis=1)] = -np.inf
        draw = Draw(self.scalars.values(x[:s]), self._layout.modes(x))
        if self._snap_to == "observed":
            for scalar, values in zip(draw.scalars, raw, strict=True):
                scalar[:] = nearest(np.unique(values[own]), scalar)
        elif self._snap_to == "shared":
            if self._mode == "prior":  # no parents: the class as a whole stands for them
                one = self.real(np.full(len(p), own.start))
                same_value, same_mode = (
                    (rows[:, own] == rows[:, [own.start]]).all(axis=1, keepdims=True)
                    for rows in (raw, self.anchors["modes"])
                )
                np.copyto(draw.scalars, one.scalars, where=same_value)
                np.copyto(draw.modes, one.modes, where=same_mode)
            else:
                share(draw.scalars, raw, p, q)
                share(draw.modes, self.anchors["modes"], p, q)
        return draw

    def cross(self, one: Draw, other: Draw, rng: np.random.Generator, *, is_whole: bool) -> None:
        """Overwrite groups of columns, or whole rows, of one by the other's, with even odds."""
        scalars, blocks = self.groups
        groups = 1 + max(entry["group"] for entry in self._spec["columns"])
        is_one = rng.integers(0, 2, (1 if is_whole else groups, len(one)), dtype=bool)
        mix(one.scalars, other.scalars, is_one, scalars % len(is_one))
        mix(one.modes, other.modes, is_one, blocks % len(is_one))

    def settle(self, draw: Draw) -> Draw:
        """Give a scalar whose mode is a spike or "missing" that very value."""
        settle(draw.scalars, draw.modes, *self._spikes)
        return draw

    @cached_property
    def anchors(self) -> dict[str, Array]:
        """The tables of real rows, column by column: ``raw (S, A)``, ``modes (B, A)``, ``mu``, ``logvar``."""
        names = ("raw", "modes", "mu", "logvar")
        return {name: np.ascontiguousarray(self._tensors[f"anchors.{name}"].T) for name in names}

    @cached_property
    def groups(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The group of columns that each scalar and each block belongs to, ``(S,)`` and ``(B,)``."""
        scalars = np.zeros(self._layout.scalars, dtype=np.intp)
        blocks = np.zeros(len(self._layout.sizes), dtype=np.intp)
        for entry in self._spec["columns"]:
            if entry["scalar"] is not None:
                scalars[entry["scalar"]] = entry["group"]
            if entry["block"] is not None:
                blocks[entry["block"]] = entry["group"]
        return scalars, blocks

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """The real rows in codec space, ``(D, A)``."""
        rows = self._layout.one_hot(self._tensors["anchors.scaled"], self._tensors["anchors.modes"])
        return np.ascontiguousarray(rows.T)

    @cached_property
    def _errors(self) -> NDArray[np.float32]:
        """What the decoder gets wrong of each real row, ``(D, A)``."""
        errors = self._vectors.copy()
        for index, entry in enumerate(self._spec["classes"]):
            own = slice(*entry["anchors"])
            errors[:, own] -= self.decoder.decode(self.anchors["mu"][:, own], index)
        return errors

    @cached_property
    def _spikes(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The values of the modes that settle a scalar: which, ``(columns, 4)``, and all of them in a row.

        For each column that has both, the first holds its scalar, its block, its values' start and number.
        """
        places: list[tuple[int, int, int, int]] = []
        values: list[float] = []
        for entry in self._spec["columns"]:
            if entry["scalar"] is not None and entry["block"] is not None:
                settled = known(entry)
                places.append((entry["scalar"], entry["block"], len(values), len(settled)))
                values.extend(settled)
        return np.array(places, np.intp).reshape(-1, 4), np.array(values, np.float64)
