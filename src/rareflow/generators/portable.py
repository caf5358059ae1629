"""The fitted generator as one file that stands alone: it decodes, samples, saves, loads and serves.

A registered model carries a copy of this very file (MLflow's models-from-code), a JSON spec and a
safetensors file. So a generator loads where rareflow is not installed, nothing is unpickled, and two
versions loaded in one process each run their own code. Third-party imports only, therefore.

The spaces, and the shapes used throughout: a *row* of the table has `S` scalars (numeric columns that are
not discrete) and `B` blocks (the choice among a column's modes: its categories, its spikes, "missing",
"some other number"). In *codec space* a row is a vector of length `D`: the `S` scaled scalars, then the
one-hot blocks, blocks of one size side by side so that each size is one reshape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SAMPLING_MODES", "SNAPS", "Decoder", "Draw", "Layout", "PortableGenerator", "forest_features"]

SAMPLING_MODES = ("prior", "posterior", "neighbours", "interpolation", "residual", "crossover")
SNAPS = ("none", "shared", "observed")

_CHUNK_ROWS = 32_768
_FILTER_ROUNDS = 4
_EVEN = 0.5
_SPEC, _WEIGHTS = "spec.json", "weights.safetensors"

Array = NDArray[Any]


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

    def activate(self, raw: Tensor) -> Tensor:
        """Turn decoder output ``(N, D)`` into scalars and, in each block, probabilities that sum to 1."""
        parts = [raw[:, : self.scalars]]
        for columns, blocks, size in self.groups:
            logits = raw[:, columns].unflatten(1, (blocks.stop - blocks.start, size))
            parts.append(torch.softmax(logits, dim=-1).flatten(1))
        return torch.cat(parts, dim=1)

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
        """Read the likeliest mode of each block off codec vectors ``(N, D)``; shape ``(N, B)``."""
        found = np.empty((len(x), len(self.sizes)), dtype=np.int16)
        for columns, blocks, size in self.groups:
            shape = (len(x), blocks.stop - blocks.start, size)
            found[:, blocks] = x[:, columns].reshape(shape).argmax(axis=-1)
        return found


class Decoder(nn.Module):
    """The decoder p(x|z, c) of Eq. 2, which is also the generator G of Eq. 7: a two-layer perceptron.

    Latent ``(N, latent_dim)`` and one-hot class ``(N, classes)`` in, decoder output ``(N, D)`` out;
    `Layout.activate` makes it a codec vector.
    """

    def __init__(self, latent_dim: int, classes: int, hidden_dim: int, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(latent_dim + classes, hidden_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_dim, hidden_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_dim, width),
        )

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        """Decode latent points of the given classes."""
        return self.net(torch.cat([z, c], dim=1))


@dataclass
class Draw:
    """Candidate rows: scalars in the table's units ``(N, S)``, NaN where missing; modes ``(N, B)``."""

    scalars: NDArray[np.float64]
    modes: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.modes)

    def take(self, rows: Array) -> Draw:
        """Give some of the rows, by number."""
        return Draw(self.scalars[rows], self.modes[rows])


class PortableGenerator:
    """A fitted generator: the decoder, the codec's way back, and the real rows that sampling stays near.

    Parameters
    ----------
    spec
        What JSON can hold: columns, label, classes, layout, sampling settings.
    tensors
        What safetensors holds: weights ``decoder.*``, the scalars' scales ``scalar.*``, the anchors
        ``anchors.*`` (real rows in codec space, their latent posterior and neighbours, class by class) and,
        where a filter was asked for, its forest ``forest.*``.
    """

    def __init__(self, spec: dict[str, Any], tensors: dict[str, Array]) -> None:
        self.spec, self.tensors = spec, tensors
        self.layout = Layout(spec["layout"]["scalars"], tuple(spec["layout"]["sizes"]))
        self.classes: list[str] = [entry["name"] for entry in spec["classes"]]
        latent_dim, hidden_dim = spec["decoder"]["latent_dim"], spec["decoder"]["hidden_dim"]
        with torch.device("meta"):  # weights that will be replaced need no memory and no random numbers
            self.decoder = Decoder(latent_dim, len(self.classes), hidden_dim, self.layout.width)
        weights = {key: torch.from_numpy(value) for key, value in self._tensors("decoder.").items()}
        self.decoder.load_state_dict(weights, assign=True)
        self.decoder.eval()
        self._scale = self._tensors("scalar.")
        self._anchors = self.layout.one_hot(tensors["anchors.scaled"], tensors["anchors.modes"])

    def _tensors(self, prefix: str) -> dict[str, Array]:
        """Give the tensors of one part, by their names within it."""
        return {
            key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)
        }

    @classmethod
    def load(cls, folder: str | Path) -> PortableGenerator:
        """Load what `save` wrote."""
        folder = Path(folder)
        spec = json.loads((folder / _SPEC).read_text(encoding="utf-8"))
        return cls(spec, load_file(folder / _WEIGHTS))

    def save(self, folder: str | Path) -> Path:
        """Write the spec and the weights into a folder, made if need be; no pickle anywhere."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: np.ascontiguousarray(value) for key, value in self.tensors.items()}
        save_file(tensors, folder / _WEIGHTS)
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
            The same seed gives the same bits; ``None`` draws afresh.
        temperature
            Factor on the latent noise, finite, >= 0.

        Raises
        ------
        ValueError
            If the label is unknown, or the count or the temperature out of its range.
        """
        frames = list(self.batches(label, count, seed=seed, temperature=temperature))
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    def batches(
        self, label: str, count: int, *, seed: int | None = None, temperature: float = 1.0
    ) -> Iterator[pd.DataFrame]:
        """Draw `sample`'s rows as frames of a bounded size, one at a time; at least one, empty if need be.

        Parameters and errors are `sample`'s; errors come at once, before the first frame is asked for.
        """
        if label not in self.classes:
            raise ValueError(f"{label=} is not a class of this generator; its classes are {self.classes}")
        if count < 0 or not 0 <= temperature < np.inf:
            raise ValueError(f"count and temperature must be 0 or more, not {count=}, {temperature=}")
        rng = np.random.default_rng(seed)
        sizes = (min(_CHUNK_ROWS, count - start) for start in range(0, max(count, 1), _CHUNK_ROWS))
        return (self._frame(self._draw_kept(label, size, rng, temperature)) for size in sizes)

    def table(
        self, wanted: pd.DataFrame, *, seed: int | None = None, temperature: float = 1.0
    ) -> pd.DataFrame:
        """Draw the counts that a frame with columns `label` and `count` asks for, the label column included.

        The rows come in the order asked for, in the training table's own columns and dtypes. Errors are
        `sample`'s, and a ValueError if one of the two columns is missing.
        """
        if not {"label", "count"} <= set(wanted.columns):
            raise ValueError(f"the counts need columns 'label' and 'count', not {list(wanted.columns)}")
        label = self.spec["label"]
        values = {entry["name"]: entry["value"] for entry in self.spec["classes"]}
        asked = list(zip(wanted["label"].astype(str), wanted["count"].astype(int), strict=True))
        frames = []
        for i, (name, count) in enumerate(asked or [(self.classes[0], 0)]):
            own = None if seed is None else int(np.random.SeedSequence([seed, i]).generate_state(1)[0])
            frame = self.sample(name, count, seed=own, temperature=temperature)
            frame.insert(label["position"], label["name"], _typed([values[name]] * count, label))
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def _draw_kept(self, label: str, count: int, rng: np.random.Generator, temperature: float) -> Draw:
        """Draw rows; with a filter, prefer those that the forest gives to their own class."""
        index = self.classes.index(label)
        if not self.spec["sampling"]["filter"]:
            return self.draw(index, count, rng, temperature)
        kept: list[Draw] = []
        lacking = count
        for _ in range(_FILTER_ROUNDS):
            draw = self.draw(index, lacking + lacking // 2, rng, temperature)
            kept.append(draw.take(np.flatnonzero(self._forest_class(draw) == index)[:lacking]))
            lacking -= len(kept[-1])
            if not lacking:
                break
        kept.append(self.draw(index, lacking, rng, temperature))  # a filter never costs rows
        return Draw(np.vstack([draw.scalars for draw in kept]), np.vstack([draw.modes for draw in kept]))

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

        Without `cross`, a row of mode ``crossover`` comes whole from one of its two sources.
        """
        own = slice(*self.spec["classes"][index]["anchors"])
        p, q = self._parents(own, count, rng)
        if own.stop - own.start == 1:
            return Draw(self.tensors["anchors.raw"][p], self.tensors["anchors.modes"][p])
        draw = self._snap(self._codec_vectors(index, p, q, rng, temperature), own, p, q)
        if self.spec["sampling"]["mode"] == "crossover":
            near = self._neighbours(p, rng)  # not any row: a class's different attacks do not mix
            other = self._straight(near, self._neighbours(near, rng), rng)
            draw = self._cross(draw, other, rng, is_whole=not cross)
        return self._settle(draw)

    def _straight(self, p: Array, q: Array, rng: np.random.Generator) -> Draw:
        """Draw rows on the straight line between real rows in the table's own units, as SMOTE does.

        A mode, and a number that only one parent has, is the nearer parent's.
        """
        raw, modes, scale = self.tensors["anchors.raw"], self.tensors["anchors.modes"], self._scale
        t = rng.random((len(p), 1))
        is_p = t < _EVEN
        if self.spec["sampling"]["snap"] == "observed":
            t = np.round(t)
        with np.errstate(over="ignore"):  # rounding may carry the line beyond the last float
            line = (1 - t) * raw[p] + t * raw[q]
        if scale:
            line = np.clip(np.where(scale["whole"], np.round(line), line), scale["low"], scale["high"])
        is_open = (raw[p] != raw[q]) & ~np.isnan(line)
        return Draw(
            np.where(is_open, line, np.where(is_p, raw[p], raw[q])), np.where(is_p, modes[p], modes[q])
        )

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

    def _cross(self, one: Draw, other: Draw, rng: np.random.Generator, *, is_whole: bool) -> Draw:
        """Take each group of columns, or whole rows, from one or from the other, with even odds."""
        scalars, blocks = self._groups
        groups = 1 + max(entry["group"] for entry in self.spec["columns"])
        is_one = rng.random((len(one), groups)) < _EVEN
        if is_whole:
            is_one[:] = is_one[:, :1]
        return Draw(
            np.where(is_one[:, scalars], one.scalars, other.scalars),
            np.where(is_one[:, blocks], one.modes, other.modes),
        )

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
        """Draw codec vectors of one class, from the prior or near the real rows p and q."""
        how, rows = self.spec["sampling"], self._anchors
        mu, logvar = self.tensors["anchors.mu"], self.tensors["anchors.logvar"]
        t = rng.random((len(p), 1), dtype=np.float32)
        noise = rng.standard_normal((len(p), mu.shape[1]), dtype=np.float32) * np.float32(temperature)
        if how["mode"] == "prior":
            return self._decode(noise, index)
        noise *= np.float32(how["noise"])
        if how["mode"] == "posterior":
            return self._decode(mu[p] + noise * np.exp(0.5 * logvar[p]), index)
        line: Array = (1 - t) * rows[p] + t * rows[q]
        if how["mode"] == "interpolation":
            return line
        sigma = np.exp(0.5 * ((1 - t) * logvar[p] + t * logvar[q]))
        bent = self._decode((1 - t) * mu[p] + t * mu[q] + noise * sigma, index)
        if how["mode"] == "neighbours":
            return bent
        # What the decoder says beyond the straight line: its reconstruction error cancels.
        straight = (1 - t) * self._decode(mu[p], index) + t * self._decode(mu[q], index)
        return line + bent - straight

    def _decode(self, z: Array, index: int) -> Array:
        """Run the decoder on latent points of one class; codec vectors ``(N, D)`` come back."""
        c = torch.zeros(len(z), len(self.classes))
        c[:, index] = 1.0
        with torch.inference_mode():
            return self.layout.activate(self.decoder(torch.from_numpy(z), c)).numpy()

    def _values(self, scaled: Array) -> NDArray[np.float64]:
        """Bring scaled scalars ``(N, S)`` back to the table's units, within the observed range."""
        if not self._scale:
            return np.empty(scaled.shape)
        scale = self._scale
        v = np.clip(scaled.astype(np.float64), scale["scaled_low"], scale["scaled_high"])
        v = v * scale["spread"] + scale["shift"]
        if self.spec["codec"] == "quantile":
            ranks = np.linspace(0.0, 1.0, scale["references"].shape[1])
            for j, references in enumerate(scale["references"]):
                v[:, j] = np.interp(v[:, j], ranks, references)
        elif self.spec["codec"] == "asinh":
            v = scale["centre"] + scale["scale"] * np.sinh(v)
        v = np.where(scale["whole"], np.round(v), v)
        return np.clip(v, scale["low"], scale["high"])

    def _snap(self, x: Array, own: slice, p: Array, q: Array) -> Draw:
        """Read rows off codec vectors: what both parents share is exact, or every value an observed one."""
        raw, modes, s = self.tensors["anchors.raw"], self.tensors["anchors.modes"], self.layout.scalars
        how = self.spec["sampling"]
        if how["snap"] == "observed":
            x[:, s:][:, ~self._anchors[own, s:].any(axis=0)] = -np.inf
        draw = Draw(self._values(x[:, :s]), self.layout.modes(x))
        if how["snap"] == "observed":
            for j in range(s):
                draw.scalars[:, j] = _nearest(np.unique(raw[own, j]), draw.scalars[:, j])
        elif how["snap"] == "shared":
            if how["mode"] == "prior":  # no parents: the class as a whole stands for them
                p = np.full(len(p), own.start)
                same_value = (raw[own] == raw[own.start]).all(axis=0)
                same_mode = (modes[own] == modes[own.start]).all(axis=0)
            else:
                same_value, same_mode = raw[p] == raw[q], modes[p] == modes[q]
            draw.scalars = np.where(same_value, raw[p], draw.scalars)
            draw.modes = np.where(same_mode, modes[p], draw.modes)
        return draw

    def _settle(self, draw: Draw) -> Draw:
        """Give a scalar whose mode is a spike or "missing" that very value."""
        for entry in self.spec["columns"]:
            if entry["scalar"] is not None and entry["block"] is not None:
                known = _known(entry)
                mode, scalar = draw.modes[:, entry["block"]], draw.scalars[:, entry["scalar"]]
                scalar[:] = np.where(mode < len(known), np.append(known, np.nan)[mode], scalar)
        return draw

    def _forest_class(self, draw: Draw) -> NDArray[np.intp]:
        """Walk every row down every tree of the filter's forest at once; the class with most weight wins."""
        feature, threshold = self.tensors["forest.feature"], self.tensors["forest.threshold"]
        left, right = self.tensors["forest.left"], self.tensors["forest.right"]
        x = forest_features(draw.scalars, draw.modes)
        node = np.tile(self.tensors["forest.roots"], (len(x), 1))
        rows = np.arange(len(x))[:, None]
        while (inner := left[node] >= 0).any():
            down = np.where(x[rows, feature[node]] <= threshold[node], left[node], right[node])
            node = np.where(inner, down, node)
        return self.tensors["forest.value"][node].sum(axis=1).argmax(axis=1)

    def _frame(self, draw: Draw) -> pd.DataFrame:
        """Write rows in the table's own columns, order and dtypes."""
        columns = {entry["name"]: _column(entry, draw) for entry in self.spec["columns"]}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(draw)))


def forest_features(scalars: Array, modes: Array) -> NDArray[np.float32]:
    """Give what the filter's forest sees of scalars ``(N, S)`` and modes ``(N, B)``: both, ``(N, S + B)``."""
    limit = np.finfo(np.float32).max
    return np.hstack([np.clip(np.nan_to_num(scalars), -limit, limit), modes]).astype(np.float32)


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
        return _typed(draw.scalars[:, entry["scalar"]], entry)
    mode = np.zeros(len(draw), np.intp) if entry["block"] is None else draw.modes[:, entry["block"]]
    return _typed(_known(entry)[mode], entry)


def _typed(values: Any, entry: dict[str, Any]) -> pd.Series:  # noqa: ANN401 - whatever pandas takes
    """Give values the column's own dtype."""
    if entry["dtype"] == "category":
        categories = pd.Index(entry["categories"], dtype=entry["categories_dtype"])
        return pd.Series(values, dtype=pd.CategoricalDtype(categories, ordered=entry["ordered"]))
    return pd.Series(values).astype(entry["dtype"])


def _serve() -> None:
    """Hand the generator to MLflow, which runs this file by itself when it loads a registered model."""
    from mlflow.models import set_model  # noqa: PLC0415 - only ever imported where MLflow runs this file
    from mlflow.pyfunc import PythonModel, PythonModelContext  # noqa: PLC0415

    class RegisteredGenerator(PythonModel):
        """Counts by label in, that many rows of the training table's form out."""

        def load_context(self, context: PythonModelContext) -> None:
            self.generator = PortableGenerator.load(context.artifacts["generator"])

        def predict(
            self,
            context: Any,  # noqa: ANN401, ARG002 - a type known here only makes MLflow warn
            model_input: pd.DataFrame,
            params: dict[str, Any] | None = None,
        ) -> pd.DataFrame:
            return self.generator.table(model_input, **(params or {}))

    set_model(RegisteredGenerator())


if not __package__:
    _serve()
