"""The fitted generator as one file that stands alone: it decodes, samples, saves, loads and serves.

A registered model carries a copy of this very file (MLflow's models-from-code), a JSON spec and a
safetensors file. So a generator loads where rareflow is not installed, nothing is unpickled, and two
versions loaded in one process each run their own code. Third-party imports only, therefore.

The spaces, and the shapes used throughout: a *row* of the table has `S` scalars (numeric columns that are
not discrete) and `B` blocks (the choice among a column's modes: its categories, its spikes, "missing",
"some other number"). In *codec space* a row is a vector of length `D`: the `S` scaled scalars, then the
one-hot blocks, blocks of one size side by side so that each size is one reshape. Tables of real rows are
stored row by row, ``(A, ...)``; rows are drawn column by column, ``(..., N)``: frames want them so, and a
processor works on many rows at once so.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future

__all__ = [
    "CODECS",
    "HOTTEST",
    "MAX_ROWS",
    "SAMPLING_MODES",
    "SLOPE",
    "SNAPS",
    "STEEP",
    "Draw",
    "Layout",
    "PortableGenerator",
    "forest_features",
    "is_dtype",
]

CODECS = ("asinh", "quantile", "zscore")
SAMPLING_MODES = ("prior", "posterior", "neighbours", "interpolation", "residual", "crossover")
SNAPS = ("none", "shared", "observed")
MAX_ROWS = 1_000_000
"""What one call of a served model gives at most, unless its operator says otherwise."""
SLOPE = 0.2
"""What a leaky rectifier of any of the networks leaves of a negative number."""
STEEP = 60.0
"""Beyond it a logit says no more, and its exponential would overflow in the end."""
HOTTEST = 1e6
"""Factor on noise at most; far beyond it float32 overflows."""

_BATCH_ROWS = 65_536  # a frame's: one thread draws it, from a random source of its own
_CHUNK_ROWS = 4_096  # drawn at once, so few that they stay in the processor's cache
_BLOCK_ROWS = 512  # decoded at once, so few that a layer stays in a core's own cache
_MAX_THREADS = 8  # each holds a batch in memory
_FILTER_ROUNDS = 4  # so many times the rows asked for are judged; then any will do
_FORESTS = ("forest.classes.", "forest.numbers.")  # of the filter; see `filter.fit_filter`
_EARLY_TREES = (52, 56, 60, 69, 78, 88, 100)  # percent of a forest's, after which decided rows leave
_SLACK = 0.01  # of a lead that decides
_WHOLE = 2.0**53  # a double that is as large has no decimals
_DEEPEST = 64  # levels of any tree, so that no walk goes round for ever
_EVEN = 0.5
_DAMAGED = "; the generator's files are damaged or were tampered with: load another copy"
_SPEC, _WEIGHTS = "spec.json", "weights.safetensors"
_MOST_BYTES = {_SPEC: 2**26, _WEIGHTS: 2**32}  # far more than any table needs
_MOST_NUMBERS = 2**30  # in the real rows' table in codec space, which no file bounds
_MOST_COUNT = 2**63 - 1

Array = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Layout:
    """Where each scalar and each block stands in codec space.

    Parameters
    ----------
    scalars
        Number of scalars `S`; they stand first.
    sizes
        Size of each block in codec order, never decreasing; `len(sizes)` is `B`.
    """

    scalars: int
    sizes: tuple[int, ...]

    @property
    def width(self) -> int:
        """Length `D` of a codec vector."""
        return self.scalars + sum(self.sizes)

    @cached_property
    def groups(self) -> list[tuple[slice, slice, int]]:
        """One entry a block size: its columns in codec space, its blocks among the `B`, the size."""
        found: list[tuple[slice, slice, int]] = []
        column, block = self.scalars, 0
        for size in sorted(set(self.sizes)):
            count = self.sizes.count(size)
            found.append((slice(column, column + count * size), slice(block, block + count), size))
            column, block = column + count * size, block + count
        return found

    def one_hot(self, scaled: Array, modes: Array) -> NDArray[np.float32]:
        """Join scaled scalars ``(N, S)`` and modes ``(N, B)`` to codec vectors ``(N, D)``."""
        x = np.zeros((len(scaled), self.width), dtype=np.float32)
        x[:, : self.scalars] = scaled
        start = self.scalars
        for block, size in enumerate(self.sizes):
            x[np.arange(len(x)), modes[:, block] + np.intp(start)] = 1.0
            start += size
        return x

    def modes(self, x: Array) -> NDArray[np.int16]:
        """Read the likeliest mode of each block off codec vectors ``(D, N)``; shape ``(B, N)``."""
        found = np.empty((len(self.sizes), x.shape[1]), dtype=np.int16)
        _find_largest(x, self._ends, found)
        return found

    def probabilities(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn each block of decoder output ``(D, N)`` into probabilities that sum to 1, in place."""
        blocks = raw[self.scalars :]
        np.exp(np.clip(blocks, -STEEP, STEEP, out=blocks), out=blocks)
        _normalise(raw, self._ends)
        return raw

    @cached_property
    def _ends(self) -> NDArray[np.intp]:
        """Where each block begins in codec space, and the last one ends, ``(B + 1,)``."""
        return np.cumsum([self.scalars, *self.sizes], dtype=np.intp)


@dataclass
class Draw:
    """Candidate rows: scalars in the table's units ``(S, N)``, NaN where missing; modes ``(B, N)``."""

    scalars: NDArray[np.float64]
    modes: NDArray[np.int16]

    def __len__(self) -> int:
        return self.modes.shape[1]


class PortableGenerator:
    """A fitted generator: the decoder, the codec's way back, and the real rows that sampling stays near.

    Parameters
    ----------
    spec
        What JSON can hold: columns, label, classes, layout, sampling settings.
    tensors
        What safetensors holds: weights ``decoder.*``, the scalars' scales ``scalar.*``, the anchors
        ``anchors.*`` (real rows in codec space, their latent posterior and neighbours, class by class) and,
        where a filter was asked for, its two forests ``forest.classes.*`` and ``forest.numbers.*``.
    """

    def __init__(self, spec: dict[str, Any], tensors: dict[str, Array]) -> None:
        _check_spec(spec)
        self.spec, self.tensors = spec, tensors
        self.layout = Layout(spec["layout"]["scalars"], tuple(spec["layout"]["sizes"]))
        self.classes: list[str] = [entry["name"] for entry in spec["classes"]]
        self._scale = self._tensors("scalar.")
        self._forests = [forest for prefix in _FORESTS if (forest := self._tensors(prefix))]
        self._check_tensors()
        self._check_bounds()

    def _check_tensors(self) -> None:
        """Refuse tensors of other names, dtypes or shapes than a generator's, and numbers that are none.

        Raises
        ------
        ValueError
            The message names the tensor.
        """
        forms = self._forms()
        if strange := sorted(forms.keys() ^ self.tensors.keys()):
            raise ValueError(f"tensor {strange[0]!r} is lacking or is none of a generator's{_DAMAGED}")
        for name, (dtype, *shape) in forms.items():
            found = self.tensors[name]
            if found.dtype != dtype:
                raise ValueError(f"tensor {name!r} holds {found.dtype}, not {np.dtype(dtype)}{_DAMAGED}")
            wanted = tuple(b if a is None else a for a, b in zip_longest(shape, found.shape, fillvalue=-1))
            if found.shape != wanted:
                raise ValueError(f"tensor {name!r} has the shape {found.shape}, not {tuple(shape)}{_DAMAGED}")
            # A real row may lack a number, and no number is above a leaf's threshold.
            is_any = name == "anchors.raw" or name.endswith(".threshold")
            if not is_any and not np.isfinite(found).all():
                raise ValueError(f"tensor {name!r} holds a number that is not finite{_DAMAGED}")

    def _check_bounds(self) -> None:
        """Refuse tensors that point beyond each other: compiled loops would read whatever stands there.

        Raises
        ------
        ValueError
            The message names the tensor or the class.
        """
        layout, spec, tensors = self.layout, self.spec, self.tensors
        rows = len(tensors["anchors.raw"])
        ends: dict[str, Any] = {"anchors.neighbours": rows, "anchors.modes": np.array(layout.sizes)}
        for prefix, forest in zip(_FORESTS, self._forests, strict=False):
            nodes, groups = forest["value"].shape
            ends |= {f"{prefix}roots": nodes, f"{prefix}children": nodes, f"{prefix}groups": groups}
            ends |= {f"{prefix}feature": layout.scalars + len(layout.sizes)}
        for name, end in ends.items():
            if (tensors[name] < 0).any() or (tensors[name] >= end).any():
                raise ValueError(f"tensor {name!r} holds a number outside 0 to {np.max(end) - 1}{_DAMAGED}")
        for entry in spec["classes"]:
            start, stop = entry["anchors"]
            if not 0 <= start < stop <= rows:
                raise ValueError(
                    f"class {entry['name']!r} has the rows {start} to {stop} of {rows}{_DAMAGED}"
                )

    def _forms(self) -> dict[str, tuple[Any, ...]]:
        """Give the dtype and the shape that each tensor is to have; ``None`` is any length."""
        layout, decoder = self.layout, self.spec["decoder"]
        latent, hidden, kinds = decoder["latent_dim"], decoder["hidden_dim"], len(self.classes)
        scalars, blocks = layout.scalars, len(layout.sizes)
        rows = self.tensors["anchors.raw"].shape[:1] if "anchors.raw" in self.tensors else (0,)
        forms: dict[str, tuple[Any, ...]] = {
            "decoder.net.0.weight": ("f4", hidden, latent + kinds),
            "decoder.net.0.bias": ("f4", hidden),
            "decoder.net.2.weight": ("f4", hidden, hidden),
            "decoder.net.2.bias": ("f4", hidden),
            "decoder.net.4.weight": ("f4", layout.width, hidden),
            "decoder.net.4.bias": ("f4", layout.width),
            "anchors.raw": ("f8", *rows, scalars),
            "anchors.scaled": ("f4", *rows, scalars),
            "anchors.modes": ("i2", *rows, blocks),
            "anchors.mu": ("f4", *rows, latent),
            "anchors.logvar": ("f4", *rows, latent),
            "anchors.neighbours": ("i4", *rows, self.spec["sampling"]["n_neighbors"]),
        }
        if scalars:
            names = ("low", "high", "centre", "shift", "spread", "scaled_low", "scaled_high")
            forms |= {f"scalar.{name}": ("f8", scalars) for name in names} | {
                "scalar.decimals": ("i1", scalars)
            }
            bend = {"asinh": ("scale", scalars), "quantile": ("references", scalars, None), "zscore": None}
            if further := bend[self.spec["codec"]]:
                forms[f"scalar.{further[0]}"] = ("f8", *further[1:])
        for prefix in _FORESTS if self._forests else ():
            nodes = len(self.tensors.get(f"{prefix}feature", ()))
            forms |= {
                f"{prefix}roots": ("u4", None),
                f"{prefix}feature": ("u4", nodes),
                f"{prefix}threshold": ("f4", nodes),
                f"{prefix}children": ("u4", 2 * nodes),
                f"{prefix}value": ("f4", nodes, None),
                f"{prefix}groups": ("u4", kinds),
                f"{prefix}head_start": ("f4", kinds),
            }
        return forms

    def _check_values(self) -> None:
        """Refuse values that their column's dtype cannot hold, before rows of them are wanted.

        Raises
        ------
        ValueError
            The message names the column.
        """
        label, classes = self.spec["label"], self.spec["classes"]
        held = [(label, np.array([entry["value"] for entry in classes], dtype=object))]
        held += [(entry, _known(entry)) for entry in self.spec["columns"]]
        held += [
            (entry, self._scale[end][[entry["scalar"]]])
            for entry in self.spec["columns"]
            if entry["scalar"] is not None
            for end in ("low", "high")
        ]
        for entry, values in held:
            if not _is_held(values, entry):
                raise ValueError(f"the column {entry['name']!r} of spec cannot hold its values{_DAMAGED}")

    def _tensors(self, prefix: str) -> dict[str, Array]:
        """Give the tensors of one part, by their names within it."""
        return {
            key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)
        }

    @classmethod
    def load(cls, folder: str | Path, *, sha256: Mapping[str, str] | None = None) -> PortableGenerator:
        """Load what `save` wrote.

        Parameters
        ----------
        folder
            Where the two files stand.
        sha256
            The digests that they are to have, by file name, as `digests` gave them; ``None``: any.

        Raises
        ------
        ValueError
            If a file is too large, leads out of the folder, has another digest or holds what `save` never
            writes; the message names the file, the tensor or the entry.
        """
        folder = Path(folder)
        for name in (_SPEC, _WEIGHTS):
            _check_file(folder, name)
        if sha256 is not None and (found := cls.digests(folder)) != dict(sha256):
            name = next((name for name in found if found[name] != sha256.get(name)), _SPEC)
            raise ValueError(f"{name} has the SHA-256 {found[name]}, not {sha256.get(name)}{_DAMAGED}")
        try:
            spec = json.loads((folder / _SPEC).read_text(encoding="utf-8"))
            tensors = load_file(folder / _WEIGHTS)
        except (ValueError, RecursionError, SafetensorError) as err:
            raise ValueError(f"{folder} holds no generator ({str(err)[:100]}){_DAMAGED}") from err
        generator = cls(spec, tensors)
        generator._check_values()
        if (size := len(tensors["anchors.raw"]) * generator.layout.width) > _MOST_NUMBERS:
            raise ValueError(f"the real rows have {size:,} numbers, of at most {_MOST_NUMBERS:,}{_DAMAGED}")
        return generator

    @staticmethod
    def digests(folder: str | Path) -> dict[str, str]:
        """Give the SHA-256 of each of the two files, in hexadecimal."""
        found = {}
        for name in (_SPEC, _WEIGHTS):
            with (Path(folder) / name).open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        return found

    def save(self, folder: str | Path) -> Path:
        """Write the spec and the weights into a folder, made if need be; no pickle anywhere."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: np.ascontiguousarray(value) for key, value in self.tensors.items()}
        (folder / _WEIGHTS).write_bytes(save(tensors))  # so that a full disk is an OSError
        (folder / _SPEC).write_text(json.dumps(self.spec, indent=1), encoding="utf-8")
        return folder

    def sample(
        self, label: str, count: int, *, seed: int | None = None, temperature: float = 1.0
    ) -> pd.DataFrame:
        """Draw `count` rows of one class in the table's own feature columns, dtypes and units.

        Parameters
        ----------
        label
            The class by its name as text.
        count
            Rows wanted, >= 0; exactly as many come back. A class of which training held one row gives
            copies of that row.
        seed
            >= 0; the same seed gives the same bits; ``None`` draws afresh.
        temperature
            Factor on the latent noise, 0..1e6; without effect on a class that is drawn on straight lines.

        Raises
        ------
        ValueError
            If the label is unknown, or the count, the seed or the temperature out of its range.
        """
        asked = [_Asked(*self._check(label, count, temperature), np.random.SeedSequence(_as_seed(seed)))]
        return self._drawn(asked, temperature, with_label=False)

    def table(
        self, wanted: pd.DataFrame, *, seed: int | None = None, temperature: float = 1.0
    ) -> pd.DataFrame:
        """Draw the counts that a frame with columns `label` and `count` asks for, the label column included.

        The rows come in the order asked for, in the training table's own columns and dtypes. Errors are
        `sample`'s, and a ValueError if one of the two columns is missing.
        """
        return self._drawn(self._asked(wanted, seed, temperature), temperature, with_label=True)

    def batches(
        self, wanted: pd.DataFrame, *, seed: int | None = None, temperature: float = 1.0
    ) -> Iterator[pd.DataFrame]:
        """Draw the rows of `table` as frames of a bounded size, at least one; memory holds a few at a time.

        For a registered model it is ``model.unwrap_python_model().generator.batches``: MLflow's own
        ``predict_stream`` passes on the first row of what it is given only.

        Errors are `table`'s and come at once, before the first frame is asked for.
        """
        parts = self.parts(wanted, seed=seed, temperature=temperature)
        return _in_threads(partial(self.draw_part, part) for part in parts)

    def parts(
        self, wanted: pd.DataFrame, *, seed: int | None = None, temperature: float = 1.0
    ) -> Iterator[dict[str, Any]]:
        """Give what each frame of `batches` is drawn from: plain data, with a random source of its own.

        So any processes that loaded this generator may share the parts out, and `draw_part` makes of each
        what `batches` does, whoever draws it and in whatever order.

        Yields
        ------
        dict
            ``label``, ``count`` and ``temperature`` as `sample` takes them; ``entropy`` and ``spawn_key`` of
            a `numpy.random.SeedSequence`. Errors are `table`'s and come at once.
        """
        asked = self._asked(wanted, seed, temperature)
        return (
            {
                "label": self.classes[one.index],
                "count": rows,
                "temperature": temperature,
                "entropy": own.entropy,
                "spawn_key": list(own.spawn_key),
            }
            for one in asked
            for rows, own in one.batches()
        )

    def draw_part(self, part: Mapping[str, Any]) -> pd.DataFrame:
        """Draw the frame of one of `parts`, the label column included; errors are `sample`'s."""
        index, count = self._check(part["label"], part["count"], part["temperature"])
        seed = np.random.SeedSequence(part["entropy"], spawn_key=part["spawn_key"])
        room = self._room(count)
        self._fill(room, slice(0, count), index, np.random.default_rng(seed), part["temperature"])
        return self._frame(room, np.full(count, index))

    def real_rows(self) -> pd.DataFrame:
        """Give the real rows it draws near, up to 2,000 a class, as training had them; the label included."""
        spans = [np.arange(*entry["anchors"]) for entry in self.spec["classes"]]
        kinds = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
        return self._frame(self._real(np.concatenate(spans)), kinds)

    def check_total(self, wanted: pd.DataFrame, max_rows: int) -> None:
        """Refuse a frame of counts, as `table` takes it, that asks for more rows than `max_rows` in all."""
        total = sum(one.count for one in self._asked(wanted))
        if total > max_rows:
            raise ValueError(
                f"the counts ask for {total:,} rows, more than {max_rows=}; ask for fewer at a time, or load "
                "the model with model_config={'max_rows': ROWS} (a server: MLFLOW_PYFUNC_INFERENCE_CONFIG)"
            )

    def _drawn(self, asked: list[_Asked], temperature: float, *, with_label: bool) -> pd.DataFrame:
        """Draw all that is asked for as one frame: threads write each batch where it belongs."""
        room = self._room(sum(one.count for one in asked))

        def tasks() -> Iterator[Callable[[], None]]:
            start = 0
            for one in asked:
                for rows, own in one.batches():
                    part, rng = slice(start, start + rows), np.random.default_rng(own)
                    yield partial(self._fill, room, part, one.index, rng, temperature)
                    start += rows

        for _ in _in_threads(tasks()):
            pass
        kinds = np.repeat([one.index for one in asked], [one.count for one in asked])
        makers = self._columns_of(room, kinds if with_label else None)
        columns = dict(zip(makers, _in_threads(makers.values()), strict=True))
        return pd.DataFrame(columns, index=pd.RangeIndex(len(room)), copy=False)

    def _asked(self, wanted: pd.DataFrame, seed: int | None = None, temperature: float = 1.0) -> list[_Asked]:
        """Read the counts wanted, each with its own random source; nothing wanted is no row of a class."""
        if not {"label", "count"} <= set(wanted.columns):
            raise ValueError(f"the counts need columns 'label' and 'count', not {list(wanted.columns)}")
        pairs = list(zip(wanted["label"].astype(str), wanted["count"], strict=True))
        whole = _as_seed(seed)
        return [
            _Asked(
                *self._check(label, count, temperature),
                np.random.SeedSequence(None if whole is None else [whole, i]),
            )
            for i, (label, count) in enumerate(pairs or [(self.classes[0], 0)])
        ]

    def _check(
        self,
        label: str,
        count: Any,  # noqa: ANN401 - what a user gave
        temperature: float,
    ) -> tuple[int, int]:
        """Refuse what cannot be drawn; give the class's number and the count."""
        if not isinstance(label, str) or label not in self.classes:  # a missing one equals nothing
            raise ValueError(f"{label=} is not a class of this generator; its classes are {self.classes}")
        if not isinstance(temperature, int | float | np.number) or not 0 <= temperature <= HOTTEST:
            raise ValueError(f"temperature must be a number from 0 to {HOTTEST:.0f}, not {temperature=}")
        whole = _as_whole(count)
        if whole is None or whole > _MOST_COUNT:
            shown = repr(count) if isinstance(count, str) else str(count)
            raise ValueError(
                f"count of {label=} must be a whole number from 0 to {_MOST_COUNT}, not {shown:.40}"
            )
        return self.classes.index(label), whole

    def _room(self, count: int) -> Draw:
        """Give room for so many rows."""
        return Draw(
            np.empty((self.layout.scalars, count)), np.empty((len(self.layout.sizes), count), np.int16)
        )

    def _fill(
        self, room: Draw, part: slice, index: int, rng: np.random.Generator, temperature: float
    ) -> None:
        """Draw rows into a part of some room; with a filter, those that it gives to their class."""
        start, judged = part.start, _FILTER_ROUNDS * (part.stop - part.start) if self._forests else 0
        while start < part.stop:
            lacking = part.stop - start
            draw = self.draw(index, min(_CHUNK_ROWS, lacking + lacking // 16 + 1), rng, temperature)
            rows = np.arange(len(draw))
            if judged > 0:  # a filter never costs rows
                judged -= len(draw)
                rows = np.flatnonzero(self._is_own(draw, index))
            rows = rows[:lacking]
            _put(draw.scalars, rows, room.scalars, start)
            _put(draw.modes, rows, room.modes, start)
            start += len(rows)

    def draw(
        self,
        index: int,
        count: int,
        rng: np.random.Generator,
        temperature: float = 1.0,
        *,
        cross: bool = True,
    ) -> Draw:
        """Draw rows of one class, by its number, that no filter has seen.

        Without `cross`, a row of mode ``crossover`` comes whole from one of its two sources. A class that the
        filter's forests found too rare for noise is drawn on straight lines.
        """
        entry = self.spec["classes"][index]
        own, is_observed = slice(*entry["anchors"]), self.spec["sampling"]["snap"] == "observed"
        p, q = self._parents(own, count, rng)
        if own.stop - own.start == 1:
            return self._real(p)
        if entry["straight"]:
            return self._settle(self._straight(p, q, rng, is_observed=is_observed))
        draw = self._snap(self._codec_vectors(index, p, q, rng, temperature), own, p, q)
        if self.spec["sampling"]["mode"] == "crossover":
            near = self._neighbours(p, rng)  # not any row: a class's different attacks do not mix
            other = self._straight(near, self._neighbours(near, rng), rng, is_observed=is_observed)
            self._cross(draw, other, rng, is_whole=not cross)
        return self._settle(draw)

    def draw_straight(self, index: int, count: int, rng: np.random.Generator) -> Draw:
        """Draw rows of one class, by its number, on straight lines between real rows alone."""
        p, q = self._parents(slice(*self.spec["classes"][index]["anchors"]), count, rng)
        return self._settle(self._straight(p, q, rng))

    def _real(self, rows: Array) -> Draw:
        """Give real rows as they are."""
        draw, rows = self._room(len(rows)), rows.astype(np.intp, copy=False)
        _put(self._columns["raw"], rows, draw.scalars, 0)
        _put(self._columns["modes"], rows, draw.modes, 0)
        return draw

    def _straight(self, p: Array, q: Array, rng: np.random.Generator, *, is_observed: bool = False) -> Draw:
        """Draw rows on the straight line between real rows in the table's own units, as SMOTE does.

        A mode, and a number that only one parent has, is the nearer parent's; so is every observed number.
        """
        t = rng.random(len(p))
        nearer = self._real(np.where(t < _EVEN, p, q))
        if self._scale and not is_observed:
            _straighten(nearer.scalars, self._columns["raw"], p, q, t, self._units)
            self._bound(nearer.scalars)
        return nearer

    @cached_property
    def _units(self) -> NDArray[np.float64]:
        """What each scalar is counted in, as parts of one ``(S,)``: 100 is hundredths, 0 that it is not."""
        decimals = self._scale["decimals"]
        return np.where(decimals < 0, 0.0, 10.0 ** np.abs(decimals))

    def _bound(self, values: Array) -> None:
        """Keep scalars ``(S, N)`` within the observed range, in place."""
        # Not compiled: which of two zeros of unlike sign it gives is numpy's own choice, and part of the bits
        # that a seed gives.
        np.clip(values, self._scale["low"][:, None], self._scale["high"][:, None], out=values)

    @cached_property
    def _groups(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The group of columns that each scalar and each block belongs to, ``(S,)`` and ``(B,)``."""
        scalars = np.zeros(self.layout.scalars, dtype=np.intp)
        blocks = np.zeros(len(self.layout.sizes), dtype=np.intp)
        for entry in self.spec["columns"]:
            if entry["scalar"] is not None:
                scalars[entry["scalar"]] = entry["group"]
            if entry["block"] is not None:
                blocks[entry["block"]] = entry["group"]
        return scalars, blocks

    def _cross(self, one: Draw, other: Draw, rng: np.random.Generator, *, is_whole: bool) -> None:
        """Overwrite groups of columns, or whole rows, of one by the other's, with even odds."""
        scalars, blocks = self._groups
        groups = 1 + max(entry["group"] for entry in self.spec["columns"])
        is_one = rng.integers(0, 2, (1 if is_whole else groups, len(one)), dtype=bool)
        _mix(one.scalars, other.scalars, is_one, scalars % len(is_one))
        _mix(one.modes, other.modes, is_one, blocks % len(is_one))

    def _parents(
        self, own: slice, count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Choose a real row and one of its latent neighbours for each new row; rows take equal turns."""
        rows = np.arange(own.start, own.stop)
        turns = np.tile(rows, (-(-count // len(rows)), 1))
        p = rng.permuted(turns, axis=1).reshape(-1)[:count]
        return p, self._neighbours(p, rng)

    def _neighbours(self, rows: Array, rng: np.random.Generator) -> NDArray[np.intp]:
        """Choose one of the latent neighbours of each real row."""
        neighbours = self.tensors["anchors.neighbours"]
        return neighbours[rows, rng.integers(0, neighbours.shape[1], len(rows))]

    def _codec_vectors(
        self, index: int, p: Array, q: Array, rng: np.random.Generator, temperature: float
    ) -> Array:
        """Draw codec vectors ``(D, N)`` of one class, from the prior or near the real rows p and q."""
        how, mu, logvar = self.spec["sampling"], self._columns["mu"], self._columns["logvar"]
        t = rng.random(len(p), dtype=np.float32)
        noise = rng.standard_normal((len(mu), len(p)), dtype=np.float32) * np.float32(temperature)
        if how["mode"] == "prior":
            return self._decode(noise, index)
        noise *= np.float32(how["noise"])
        if how["mode"] == "posterior":
            return self._decode(mu[:, p] + noise * np.exp(0.5 * logvar[:, p]), index)
        if how["mode"] == "interpolation":
            return _add_lines(np.zeros((self.layout.width, len(p)), np.float32), self._anchors, p, q, t)
        deviations = _add_lines(np.zeros_like(noise), logvar, p, q, t)
        deviations *= np.float32(0.5)
        noise *= np.exp(deviations, out=deviations)
        bent = self._decode(_add_lines(noise, mu, p, q, t), index)
        if how["mode"] == "neighbours":
            return bent
        # What the decoder says beyond the straight line is added to it: its reconstruction error cancels.
        return _add_lines(bent, self._errors, p, q, t)

    @cached_property
    def _columns(self) -> dict[str, Array]:
        """The tables of real rows, column by column: ``raw (S, A)``, ``modes (B, A)``, ``mu``, ``logvar``."""
        names = ("raw", "modes", "mu", "logvar")
        return {name: np.ascontiguousarray(self.tensors[f"anchors.{name}"].T) for name in names}

    @cached_property
    def _anchors(self) -> NDArray[np.float32]:
        """The real rows in codec space, ``(D, A)``."""
        rows = self.layout.one_hot(self.tensors["anchors.scaled"], self.tensors["anchors.modes"])
        return np.ascontiguousarray(rows.T)

    @cached_property
    def _errors(self) -> NDArray[np.float32]:
        """What the decoder gets wrong of each real row, ``(D, A)``."""
        errors = self._anchors.copy()
        for index, entry in enumerate(self.spec["classes"]):
            own = slice(*entry["anchors"])
            errors[:, own] -= self._decode(self._columns["mu"][:, own], index)
        return errors

    def _decode(self, z: Array, index: int) -> NDArray[np.float32]:
        """Run the decoder on latent points ``(latent_dim, N)`` of one class: codec vectors ``(D, N)``.

        What is left after the last block goes with it: BLAS may round products of a few rows otherwise.
        """
        (first, biases), (second, bias), (last, end) = self._layers
        x = np.empty((self.layout.width, z.shape[1]), np.float32)
        ends = [*range(_BLOCK_ROWS, z.shape[1] - _BLOCK_ROWS + 1, _BLOCK_ROWS), z.shape[1]]
        for part in map(slice, [0, *ends], ends):
            h = _leak(first @ z[:, part], biases[index])
            x[:, part] = last @ _leak(second @ h, bias)
        x += end[:, None]
        return self.layout.probabilities(x)

    @cached_property
    def _layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """The decoder's weights ``(out, in)`` and biases; the first layer's are one a class, ``(C, out)``."""
        (first, bias), *others = [
            (self.tensors[f"decoder.net.{i}.weight"], self.tensors[f"decoder.net.{i}.bias"])
            for i in (0, 2, 4)
        ]
        split = self.spec["decoder"]["latent_dim"]
        biases = np.ascontiguousarray((first[:, split:] + bias[:, None]).T)
        return [(np.ascontiguousarray(first[:, :split]), biases), *others]

    def _values(self, scaled: Array) -> NDArray[np.float64]:
        """Bring scaled scalars ``(S, N)`` back to the table's units, within the observed range.

        Near real rows, what noise carries beyond an end of the range is mirrored there: cut off, it would
        pile up on one real row's value, and copy that row where a class hardly varies otherwise. What the
        decoder makes of the prior has no real row to stay near, and is cut off as in the paper's controls.
        """
        scale, v = self._scale, np.empty(scaled.shape)
        if not scale:
            return v
        is_mirrored = self.spec["sampling"]["mode"] != "prior"
        ends = (scale[name] for name in ("scaled_low", "scaled_high", "spread", "shift"))
        _unscale(scaled, *ends, is_mirrored, v)
        # Adding -0.0 changes no number, not even the sign of a zero.
        centre, factor = np.full(len(v), -0.0), np.ones(len(v))
        if self.spec["codec"] == "quantile":
            ranks = np.linspace(0.0, 1.0, scale["references"].shape[1])
            for row, references in zip(v, scale["references"], strict=True):
                row[:] = np.interp(row, ranks, references)
        elif self.spec["codec"] == "asinh":
            np.sinh(v, out=v)
            centre, factor = scale["centre"], scale["scale"]
        _stretch(v, centre, factor, self._units)
        self._bound(v)
        return v

    def _snap(self, x: Array, own: slice, p: Array, q: Array) -> Draw:
        """Read rows off codec vectors: what both parents share is exact, or every value an observed one."""
        raw, s, how = self._columns["raw"], self.layout.scalars, self.spec["sampling"]
        if how["snap"] == "observed":
            x[s:][~self._anchors[s:, own].any(axis=1)] = -np.inf
        draw = Draw(self._values(x[:s]), self.layout.modes(x))
        if how["snap"] == "observed":
            for scalar, values in zip(draw.scalars, raw, strict=True):
                scalar[:] = _nearest(np.unique(values[own]), scalar)
        elif how["snap"] == "shared":
            if how["mode"] == "prior":  # no parents: the class as a whole stands for them
                one = self._real(np.full(len(p), own.start))
                same_value, same_mode = (
                    (rows[:, own] == rows[:, [own.start]]).all(axis=1, keepdims=True)
                    for rows in (raw, self._columns["modes"])
                )
                np.copyto(draw.scalars, one.scalars, where=same_value)
                np.copyto(draw.modes, one.modes, where=same_mode)
            else:
                _share(draw.scalars, raw, p, q)
                _share(draw.modes, self._columns["modes"], p, q)
        return draw

    def _settle(self, draw: Draw) -> Draw:
        """Give a scalar whose mode is a spike or "missing" that very value."""
        _settle(draw.scalars, draw.modes, *self._spikes)
        return draw

    @cached_property
    def _spikes(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The values of the modes that settle a scalar: which, ``(columns, 4)``, and all of them in a row.

        For each column that has both, the first holds its scalar, its block, its values' start and number.
        """
        places: list[tuple[int, int, int, int]] = []
        values: list[float] = []
        for entry in self.spec["columns"]:
            if entry["scalar"] is not None and entry["block"] is not None:
                known = _known(entry)
                places.append((entry["scalar"], entry["block"], len(values), len(known)))
                values.extend(known)
        return np.array(places, np.intp).reshape(-1, 4), np.array(values, np.float64)

    def _is_own(self, draw: Draw, index: int) -> NDArray[np.bool_]:
        """Tell which rows the filter gives to a class: in neither forest has another group more of the votes.

        The class has its head start of them. After some of the trees, the others see those rows only whose
        verdict they could still turn; and the second forest those that the first has left.
        """
        x = forest_features(draw.scalars, draw.modes)
        ends = np.stack([x.min(axis=1), x.max(axis=1)], axis=1)
        lists, lead = np.empty((3, len(draw)), np.uint32), np.zeros(len(draw), np.float32)
        for forest in self._forests:
            trees, own = len(forest["roots"]), forest["groups"][index]
            if forest["head_start"][index] >= trees:  # nobody can overtake it
                continue
            rows = np.flatnonzero(lead >= 0)
            lists[2, : len(rows)] = rows
            votes = np.zeros((len(draw), forest["value"].shape[1]), np.float32)
            votes[:, own] = forest["head_start"][index]
            nodes = (forest[name] for name in ("roots", "feature", "threshold", "children", "value"))
            _judge(x, ends, *nodes, own, *_stages(trees), lists, len(rows), votes, lead)
        return lead >= 0

    def _frame(self, draw: Draw, kinds: Array | None = None) -> pd.DataFrame:
        """Write rows in the table's own columns, order and dtypes; the label's too, given the classes."""
        columns = {name: make() for name, make in self._columns_of(draw, kinds).items()}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(draw)), copy=False)

    def _columns_of(self, draw: Draw, kinds: Array | None) -> dict[str, Callable[[], pd.Series]]:
        """Give for each column of the frame what makes it."""
        makers = [(entry["name"], partial(_column, entry, draw)) for entry in self.spec["columns"]]
        if kinds is not None:
            entry = self.spec["label"]
            values = np.array([one["value"] for one in self.spec["classes"]], dtype=object)
            makers.insert(entry["position"], (entry["name"], partial(_taken, _typed(values, entry), kinds)))
        return dict(makers)


def _stages(trees: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """After how many trees decided rows leave, and by how much a class of theirs leads at most till then.

    A tree moves a lead by 1 at most. Sums in float32 are off by less than the slack.
    """
    ends = np.array([trees * percent // 100 for percent in _EARLY_TREES])
    return ends, (trees - ends + _SLACK).astype(np.float32)


def _as_whole(value: Any) -> int | None:  # noqa: ANN401 - what a user gave
    """Give a whole number from 0; ``None``: it is none. A whole float is one: frames make floats of them."""
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):  # missing, no number, infinite
        return None
    return whole if whole >= 0 and whole == value else None


def _as_seed(seed: Any) -> int | None:  # noqa: ANN401 - what a user gave
    """Give the seed, ``None`` as it is; refuse what is none."""
    if seed is None:
        return None
    whole = _as_whole(seed)
    if whole is None:
        raise ValueError(f"seed must be a whole number from 0, or None to draw afresh, not {seed=!s:.40}")
    return whole


@dataclass(frozen=True)
class _Asked:
    """Rows wanted of one class, by its number, and where their random numbers come from."""

    index: int
    count: int
    seed: np.random.SeedSequence

    def batches(self) -> Iterator[tuple[int, np.random.SeedSequence]]:
        """Give the rows of each batch, at least one batch, and its own random source."""
        for start in range(0, max(self.count, 1), _BATCH_ROWS):
            yield min(_BATCH_ROWS, self.count - start), self.seed.spawn(1)[0]


def _in_threads(tasks: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Do tasks side by side, give what they give in order; only a few are begun before theirs is taken."""
    workers = _threads()
    ahead: deque[Future[T]] = deque()
    with _one_blas_thread(), ThreadPoolExecutor(workers) as pool:
        for task in tasks:
            ahead.append(pool.submit(task))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


class _Blas:
    """BLAS's threads, which all of a process share: how many hold them to one, and what they were before."""

    lock = threading.RLock()  # again from its own thread, where an abandoned iterator is closed meanwhile
    users = 0
    before: threadpool_limits


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread until the last user is done: threads that wait for BLAS's own are slower."""
    with _Blas.lock:
        if not _Blas.users:
            _Blas.before = threadpool_limits(1, "blas")
        _Blas.users += 1
    try:
        yield
    finally:
        with _Blas.lock:
            _Blas.users -= 1
            if not _Blas.users:
                _Blas.before.restore_original_limits()


def forest_features(scalars: Array, modes: Array) -> NDArray[np.float32]:
    """Give what the filter's forests see of scalars ``(S, N)`` and modes ``(B, N)``: both, ``(S + B, N)``."""
    width = len(scalars)
    features = np.empty((width + len(modes), modes.shape[1]), dtype=np.float32)
    _narrow(np.asarray(scalars, np.float64), features)
    features[width:] = modes
    return features


_compiled = numba.njit(nogil=True, error_model="numpy")


@_compiled
def _leak(h: Array, bias: Array) -> Array:  # pragma: no cover - compiled
    """Add a bias ``(H,)`` to ``(H, N)`` and apply the leaky rectifier, in place."""
    for j in range(len(h)):
        for i in range(h.shape[1]):
            x = h[j, i] + bias[j]
            h[j, i] = x if x > 0 else np.float32(SLOPE) * x
    return h


@_compiled
def _add_lines(x: Array, ends: Array, p: Array, q: Array, t: Array) -> Array:  # pragma: no cover - compiled
    """Add to ``(D, N)``, in place, the point at t ``(N,)`` on the line from column p of the ends to q."""
    one = np.float32(1)  # an int would make all of it float64
    for j in range(len(x)):
        for i in range(x.shape[1]):
            x[j, i] += (one - t[i]) * ends[j, np.uintp(p[i])] + t[i] * ends[j, np.uintp(q[i])]
    return x


@_compiled
def _normalise(x: Array, ends: Array) -> None:  # pragma: no cover - compiled
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
def _find_largest(x: Array, ends: Array, found: Array) -> None:  # pragma: no cover - compiled
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
def _put(table: Array, rows: Array, found: Array, start: int) -> None:  # pragma: no cover - compiled
    """Write columns of ``(J, A)``, by number ``(N,)``, to a place in ``(J, M)``."""
    for j in range(len(table)):
        for i in range(len(rows)):
            found[j, start + i] = table[j, np.uintp(rows[i])]


@_compiled
def _share(drawn: Array, table: Array, p: Array, q: Array) -> None:  # pragma: no cover - compiled
    """Write to ``(J, N)`` what columns p and q of ``(J, A)`` have in common."""
    for j in range(len(drawn)):
        for i in range(len(p)):
            own, one, other = drawn[j, i], table[j, np.uintp(p[i])], table[j, np.uintp(q[i])]
            drawn[j, i] = one if one == other else own


@_compiled
def _mix(one: Array, other: Array, is_one: Array, group: Array) -> None:  # pragma: no cover - compiled
    """Overwrite ``(J, N)`` by another where the coin ``(G, N)`` of a row's group ``(J,)`` says so."""
    for j in range(len(one)):
        coin = is_one[group[j]]
        for i in range(one.shape[1]):
            a, b = one[j, i], other[j, i]  # both are read, whatever the coin says: without a jump
            one[j, i] = a if coin[i] else b


@_compiled
def _unscale(
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
def _stretch(x: Array, centre: Array, factor: Array, units: Array) -> None:  # pragma: no cover - compiled
    """Stretch scalars ``(S, N)`` about their centres and round those that are counted in units, in place."""
    for j in range(len(x)):
        for i in range(x.shape[1]):
            x[j, i] = _round(centre[j] + factor[j] * x[j, i], units[j])


@_compiled
def _straighten(
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
def _settle(scalars: Array, modes: Array, places: Array, known: Array) -> None:  # pragma: no cover - compiled
    """Write the values of modes ``(B, N)`` to scalars ``(S, N)``, where the mode is a value."""
    for k in range(len(places)):
        scalar, block, start, count = places[k, 0], places[k, 1], places[k, 2], places[k, 3]
        for i in range(scalars.shape[1]):
            if modes[block, i] < count:
                scalars[scalar, i] = known[start + modes[block, i]]


@_compiled
def _narrow(scalars: Array, found: Array) -> None:  # pragma: no cover - compiled
    """Write ``(S, N)`` as finite float32: missing is 0, and huge is the largest there is."""
    limit = np.float64(np.finfo(np.float32).max)
    for j in range(len(scalars)):
        for i in range(scalars.shape[1]):
            x = scalars[j, i]
            x = min(max(x, -limit), limit) if x == x else 0.0  # noqa: PLR0124 - only NaN is unlike itself
            found[j, i] = x


@_compiled
def _judge(
    x: Array,
    ends: Array,
    roots: Array,
    feature: Array,
    threshold: Array,
    children: Array,
    value: Array,
    own: int,
    stages: Array,
    to_come: Array,
    lists: Array,
    rows: int,
    votes: Array,
    lead: Array,
) -> None:  # pragma: no cover - compiled
    """Write by how much a group leads the best other when the trees of `filter.fit_forest` vote, ``(N,)``.

    All trees of a stage add up their votes for some rows of ``(F, N)``, the first in the third of the lists;
    then the rows leave that others cannot turn.
    """
    count, begin = np.uintp(rows), 0
    for stage in range(len(stages)):
        for tree in range(begin, stages[stage]):
            _vote(x, ends, roots[tree], feature, threshold, children, value, lists, count, votes)
        begin = stages[stage]
        count = _undecided(votes, own, to_come[stage], lists[2], count, lead)


@_compiled
def _undecided(
    votes: Array, own: int, to_come: float, rows: Array, count: int, lead: Array
) -> int:  # pragma: no cover - compiled
    """Write by how much a group leads the best other of ``(N, G)``; keep and count what may still turn."""
    kept: Any = np.uintp(0)
    for k in range(count):
        i = rows[k]
        best = np.float32(0)
        for c in range(votes.shape[1]):
            best = votes[i, c] if c != own and votes[i, c] > best else best
        lead[i] = votes[i, own] - best
        rows[kept] = i
        kept += np.uintp(abs(lead[i]) <= to_come)
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


def _threads() -> int:
    """Give the number of threads to use: ``OMP_NUM_THREADS`` if it is set, else one a processor core."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(int(wanted) if wanted.isdecimal() else os.cpu_count() or 1, _MAX_THREADS) or 1


def _nearest(observed: Array, values: Array) -> Array:
    """Give the nearest of some sorted observed numbers for each value; NaN, at their end, is none."""
    observed = observed[~np.isnan(observed)]
    if not len(observed):
        return values
    return observed[np.searchsorted(observed[:-1] / 2 + observed[1:] / 2, values)]


def _known(entry: dict[str, Any]) -> Array:
    """Give the values of a column's modes; missing is NaN in a numeric column, else ``None``."""
    if not entry["numeric"]:
        return np.array(entry["modes"], dtype=object)
    return np.array([np.nan if value is None else value for value in entry["modes"]])


def _column(entry: dict[str, Any], draw: Draw) -> pd.Series:
    """Write one column: its scalar, its mode's value, or the one value that it ever has."""
    if entry["scalar"] is not None:
        return _typed(draw.scalars[entry["scalar"]], entry)
    mode = np.zeros(len(draw), np.intp) if entry["block"] is None else draw.modes[entry["block"]]
    return _taken(_typed(_known(entry), entry), mode)


def _taken(values: pd.Series, rows: Array) -> pd.Series:
    """Take values by number, repeatedly, in their own dtype."""
    return pd.Series(values.array.take(rows), dtype=values.dtype, copy=False)


def _typed(values: Array, entry: dict[str, Any]) -> pd.Series:
    """Give values the column's own dtype."""
    if entry["dtype"] == "category":
        categories = pd.Index(entry["categories"], dtype=_dtype(entry["categories_dtype"]))
        return pd.Series(pd.Categorical(values, categories, ordered=entry["ordered"]))
    return pd.Series(values, copy=False).astype(_dtype(entry["dtype"]))


def _dtype(name: str) -> Any:  # noqa: ANN401 - pandas' own
    """Give the dtype of a name; Arrow's own text has one that pandas reads as its other kind of text."""
    if name != "string[pyarrow]":
        return name
    import pyarrow as pa  # noqa: PLC0415 - only ever needed where the table had it

    return pd.ArrowDtype(pa.string())


_DTYPE = re.compile(
    r"(bool|boolean|category|double|object|str|string|(u?int|float|UInt|Int|Float)(8|16|32|64|128))"
    r"(\[(python|pyarrow)\w*\])?"
    r"|(float|halffloat|large_string)\[pyarrow\]"
)
"""Of a column or a label; numpy knows others, some of which take a gigabyte a row."""


def _is_whole(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def is_dtype(value: object) -> bool:
    """Tell whether it names a dtype that a column, a label or categories can have on the way back."""
    return isinstance(value, str) and _DTYPE.fullmatch(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_place(value: object) -> bool:
    return value is None or _is_whole(value)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_factor(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= HOTTEST


def _is_span(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value))  # noqa: PLR2004


def _is_positive(value: object) -> bool:
    return _is_whole(value, 1)


_COLUMN = {
    "name": _is_text,
    "dtype": is_dtype,
    "numeric": _is_truth,
    "modes": [_is_scalar],
    "block": _is_place,
    "scalar": _is_place,
    "group": _is_whole,
}
_CATEGORIES = {"categories": [_is_scalar], "categories_dtype": is_dtype, "ordered": _is_truth}
_SPEC_FORM = {
    "codec": CODECS,
    "columns": [_COLUMN],
    "label": {"name": _is_text, "dtype": is_dtype, "position": _is_whole},
    "classes": [{"name": _is_text, "value": _is_scalar, "anchors": _is_span, "straight": _is_truth}],
    "layout": {"scalars": _is_whole, "sizes": [_is_positive]},
    "decoder": {"latent_dim": _is_positive, "hidden_dim": _is_positive},
    "sampling": {
        "mode": SAMPLING_MODES,
        "n_neighbors": _is_positive,
        "noise": _is_factor,
        "filter": _is_truth,
        "snap": SNAPS,
    },
}
"""What a spec holds: a mapping by its keys, a list by its items, a choice, or a test of one value."""


def _check_form(value: Any, form: Any, where: str) -> None:  # noqa: ANN401 - whatever JSON held
    """Refuse a part of a spec that is not of its form, by its place."""
    if isinstance(form, dict):
        if not isinstance(value, dict) or not form.keys() <= value.keys():
            raise ValueError(f"{where} lacks one of {', '.join(form)}{_DAMAGED}")
        for key, part in form.items():
            _check_form(value[key], part, f"{where}.{key}")
    elif isinstance(form, list):
        _check_form(value, _is_list, where)
        for i, item in enumerate(value):
            _check_form(item, form[0], f"{where}[{i}]")
    elif not (value in form if isinstance(form, tuple) else form(value)):
        raise ValueError(f"{where} holds {str(value)[:40]!r}, which no generator has there{_DAMAGED}")


def _check_spec(spec: Any) -> None:  # noqa: ANN401 - whatever JSON held
    """Refuse a spec that `save` never writes; the message names the entry.

    Raises
    ------
    ValueError
        If an entry is lacking, is of another kind, or points beyond another.
    """
    _check_form(spec, _SPEC_FORM, "spec")
    sizes, scalars = spec["layout"]["sizes"], spec["layout"]["scalars"]
    blocks = {entry["block"] for entry in spec["columns"]} - {None}
    names = [entry["name"] for entry in spec["columns"]]
    if not spec["classes"] or len(set(names)) < len(names) or spec["label"]["position"] > len(names):
        raise ValueError(f"spec has no class, or columns of one name or without a place{_DAMAGED}")
    if sizes != sorted(sizes) or blocks != set(range(len(sizes))):
        raise ValueError(f"spec.layout.sizes holds {sizes[:9]}, not a size for each block{_DAMAGED}")
    for entry in [*spec["columns"], spec["label"]]:
        if entry["dtype"] == "category":
            _check_form(entry, _CATEGORIES, f"the column {entry['name']!r} of spec")
    for entry in spec["columns"]:
        modes = len(entry["modes"]) + (entry["scalar"] is not None)
        is_placed = entry["scalar"] is None or (entry["numeric"] and entry["scalar"] < scalars)
        is_grouped = entry["group"] < len(spec["columns"])
        size = 1 if entry["block"] is None else sizes[entry["block"]]
        if not (is_placed and is_grouped and modes == size):
            raise ValueError(f"the column {entry['name']!r} of spec has no place in its layout{_DAMAGED}")


def _check_file(folder: Path, name: str) -> None:
    """Refuse one of a generator's files that leads out of its folder or is larger than any is."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name} is a link that leads out of {folder}{_DAMAGED}")
    size = path.stat().st_size
    if size > _MOST_BYTES[name]:
        raise ValueError(f"{name} has {size:,} bytes, of at most {_MOST_BYTES[name]:,}{_DAMAGED}")


def _is_held(values: Array, entry: dict[str, Any]) -> bool:
    """Tell whether a column's dtype holds these values as they are."""
    try:
        column = _typed(values, entry)
        if values.dtype == object and not entry.get("numeric"):
            return bool(column.isna().sum() == pd.isna(values).sum())
        return np.array_equal(column.to_numpy(np.float64, na_value=np.nan), values, equal_nan=True)
    except (ArithmeticError, TypeError, ValueError, Warning):
        return False


def _serve() -> None:
    """Hand the generator to MLflow, which runs this file by itself when it loads a registered model."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.models import set_model  # noqa: PLC0415 - only ever imported where MLflow runs this file
    from mlflow.pyfunc import PythonModel, PythonModelContext  # noqa: PLC0415

    class RegisteredGenerator(PythonModel):
        """Counts by label in, that many rows of the training table's form out."""

        def load_context(self, context: PythonModelContext) -> None:
            config = context.model_config or {}
            self.max_rows = int(config.get("max_rows", MAX_ROWS))
            folder = context.artifacts["generator"]
            self.generator = PortableGenerator.load(folder, sha256=config.get("sha256"))

        def predict(
            self,
            context: Any,  # noqa: ANN401, ARG002 - a type known here only makes MLflow warn
            model_input: pd.DataFrame,
            params: dict[str, Any] | None = None,
        ) -> pd.DataFrame:
            try:
                self.generator.check_total(model_input, self.max_rows)
                return self.generator.table(model_input, **(params or {}))
            except ValueError as err:  # of any other error a server tells no word to its client
                raise MlflowException.invalid_parameter_value(str(err)) from err

    set_model(RegisteredGenerator())


if not __package__:
    _serve()
