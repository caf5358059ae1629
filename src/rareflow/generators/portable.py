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
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

__all__ = ["SAMPLING_MODES", "SNAPS", "Decoder", "Layout", "PortableGenerator", "forest_features"]

SAMPLING_MODES = ("prior", "posterior", "neighbours", "interpolation", "residual")
SNAPS = ("none", "shared", "observed")

_CHUNK_ROWS = 32_768
_FILTER_ROUNDS = 4
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

    @property
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
        starts = self.scalars + np.concatenate([[0], np.cumsum(self.sizes[:-1])]) if self.sizes else []
        for block, start in enumerate(starts):
            x[np.arange(len(x)), int(start) + modes[:, block]] = 1.0
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
class _Draw:
    """Candidate rows: scalars in the table's units ``(N, S)``, modes ``(N, B)``."""

    values: NDArray[np.float64]
    modes: NDArray[np.int16]

    def take(self, rows: Array) -> _Draw:
        return _Draw(self.values[rows], self.modes[rows])


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
        size = spec["decoder"]
        self.decoder = Decoder(size["latent_dim"], len(self.classes), size["hidden_dim"], self.layout.width)
        weights = {key.removeprefix("decoder."): value for key, value in tensors.items()}
        self.decoder.load_state_dict(
            {key: torch.from_numpy(weights[key]) for key in self.decoder.state_dict()}
        )
        self.decoder.eval()
        self._anchors = self.layout.one_hot(tensors["anchors.scaled"], tensors["anchors.modes"])

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
        save_file(
            {key: np.ascontiguousarray(value) for key, value in self.tensors.items()}, folder / _WEIGHTS
        )
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
            Factor on the latent noise, >= 0.

        Raises
        ------
        ValueError
            If the label is unknown, the count negative or the temperature negative.
        """
        if label not in self.classes:
            raise ValueError(f"{label=} is not a class of this generator; its classes are {self.classes}")
        if count < 0 or temperature < 0:
            raise ValueError(f"count and temperature must be 0 or more, not {count=}, {temperature=}")
        rng = np.random.default_rng(seed)
        sizes = [min(_CHUNK_ROWS, count - start) for start in range(0, count, _CHUNK_ROWS)] or [0]
        frames = [self._frame(self._draw_kept(label, size, rng, temperature)) for size in sizes]
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    def _draw_kept(self, label: str, count: int, rng: np.random.Generator, temperature: float) -> _Draw:
        """Draw rows; with a filter, prefer those that the forest gives to their own class."""
        if not self.spec["sampling"]["filter"]:
            return self._draw(label, count, rng, temperature)
        kept: list[_Draw] = []
        missing = count
        for _ in range(_FILTER_ROUNDS):
            draw = self._draw(label, missing + missing // 2, rng, temperature)
            agreed = draw.take(
                np.flatnonzero(self._forest_class(draw) == self.classes.index(label))[:missing]
            )
            kept.append(agreed)
            missing -= len(agreed.values)
            if not missing:
                break
        kept.append(self._draw(label, missing, rng, temperature))  # a filter never costs rows
        return _Draw(np.vstack([d.values for d in kept]), np.vstack([d.modes for d in kept]))

    def _draw(self, label: str, count: int, rng: np.random.Generator, temperature: float) -> _Draw:
        """Draw candidate rows of a class as the sampling settings say (DESIGN.md, section 3)."""
        how = self.spec["sampling"]
        index = self.classes.index(label)
        start, stop = self.spec["classes"][index]["anchors"]
        p, q = self._parents(start, stop, count, rng)
        if stop - start == 1:
            return _Draw(self.tensors["anchors.raw"][p], self.tensors["anchors.modes"][p])
        t = rng.random((count, 1), dtype=np.float32)
        eps = rng.standard_normal((count, self.spec["decoder"]["latent_dim"]), dtype=np.float32)
        if how["mode"] == "prior":
            x = self._decode(eps * np.float32(temperature), index)
        else:
            x = self._near_parents(how, index, p, q, t, eps * np.float32(temperature * how["noise"]))
        draw = _Draw(self._values(x[:, : self.layout.scalars]), self.layout.modes(x))
        return self._snap(draw, how, (start, stop), p, q)

    def _parents(
        self, start: int, stop: int, count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Choose a real row and one of its latent neighbours for each new row; rows take equal turns."""
        turns = -(-count // (stop - start))
        p = np.concatenate([rng.permutation(stop - start) for _ in range(turns)] or [np.empty(0, np.intp)])
        p = p[:count] + start
        neighbours = self.tensors["anchors.neighbours"]
        return p, neighbours[p, rng.integers(0, neighbours.shape[1], count)]

    def _near_parents(
        self, how: dict[str, Any], index: int, p: Array, q: Array, t: Array, noise: Array
    ) -> NDArray[np.float32]:
        """Give codec vectors near two encoded neighbours of one class."""
        mu, logvar, rows = self.tensors["anchors.mu"], self.tensors["anchors.logvar"], self._anchors
        if how["mode"] == "posterior":
            return self._decode(mu[p] + noise * np.exp(0.5 * logvar[p]), index)
        line = (1 - t) * rows[p] + t * rows[q]
        if how["mode"] == "interpolation":
            return line
        sigma = np.exp(0.5 * ((1 - t) * logvar[p] + t * logvar[q]))
        bent = self._decode((1 - t) * mu[p] + t * mu[q] + noise * sigma, index)
        if how["mode"] == "neighbours":
            return bent
        # What the decoder says beyond the straight line: its reconstruction error cancels.
        straight = (1 - t) * self._decode(mu[p], index) + t * self._decode(mu[q], index)
        return line + bent - straight

    def _decode(self, z: Array, index: int) -> NDArray[np.float32]:
        """Run the decoder on latent points of one class; codec vectors come back."""
        c = torch.zeros(len(z), len(self.classes))
        c[:, index] = 1.0
        with torch.inference_mode():
            decoded = self.layout.activate(self.decoder(torch.from_numpy(np.ascontiguousarray(z)), c))
        return decoded.numpy()

    def _values(self, scaled: Array) -> NDArray[np.float64]:
        """Bring scaled scalars ``(N, S)`` back to the table's units, within the observed range."""
        scale = {key.removeprefix("scalar."): value for key, value in self.tensors.items()}
        v = np.clip(scaled.astype(np.float64), scale["scaled_low"], scale["scaled_high"])
        v = v * scale["spread"] + scale["shift"]
        if self.spec["codec"] == "quantile":
            ranks = np.linspace(0.0, 1.0, scale["references"].shape[1])
            columns = [np.interp(v[:, j], ranks, scale["references"][j]) for j in range(v.shape[1])]
            v = np.stack(columns, axis=1) if columns else v
        else:
            v = scale["centre"] + scale["scale"] * (np.sinh(v) if self.spec["codec"] == "asinh" else v)
        v = np.where(scale["whole"], np.round(v), v)
        return np.clip(v, scale["low"], scale["high"])

    def _snap(self, draw: _Draw, how: dict[str, Any], span: tuple[int, int], p: Array, q: Array) -> _Draw:
        """Make exact what should be: what both parents share, or every scalar's nearest observed value."""
        raw, modes = self.tensors["anchors.raw"], self.tensors["anchors.modes"]
        own = slice(*span)
        if how["snap"] == "none":
            return draw
        if how["snap"] == "observed":
            for j in range(draw.values.shape[1]):
                draw.values[:, j] = _nearest(np.unique(raw[own, j]), draw.values[:, j])
            return draw
        if how["mode"] == "prior":  # no parents: the class as a whole stands for them
            p = np.full(len(p), span[0])
            same_value = np.ptp(raw[own], axis=0)[None] == 0
            same_mode = np.ptp(modes[own], axis=0)[None] == 0
        else:
            same_value, same_mode = raw[p] == raw[q], modes[p] == modes[q]
        return _Draw(np.where(same_value, raw[p], draw.values), np.where(same_mode, modes[p], draw.modes))

    def _forest_class(self, draw: _Draw) -> NDArray[np.intp]:
        """Walk every row down every tree of the filter's forest at once; the class with most weight wins."""
        feature, threshold = self.tensors["forest.feature"], self.tensors["forest.threshold"]
        left, right = self.tensors["forest.left"], self.tensors["forest.right"]
        x = forest_features(draw.values, draw.modes)
        node = np.tile(self.tensors["forest.roots"], (len(x), 1))
        rows = np.arange(len(x))[:, None]
        while (inner := left[node] >= 0).any():
            down = np.where(x[rows, feature[node]] <= threshold[node], left[node], right[node])
            node = np.where(inner, down, node)
        return self.tensors["forest.value"][node].sum(axis=1).argmax(axis=1)

    def _frame(self, draw: _Draw) -> pd.DataFrame:
        """Write rows in the table's own columns, order and dtypes."""
        columns = {entry["name"]: _column(entry, draw) for entry in self.spec["columns"]}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(draw.values)))

    def table(
        self, wanted: pd.DataFrame, *, seed: int | None = None, temperature: float = 1.0
    ) -> pd.DataFrame:
        """Draw the counts that a frame with columns `label` and `count` asks for, the label column included.

        The rows come in the order asked for, in the training table's own columns and dtypes.
        """
        label = self.spec["label"]
        values = {entry["name"]: entry["value"] for entry in self.spec["classes"]}
        frames = []
        for i, (name, count) in enumerate(zip(wanted["label"], wanted["count"], strict=True)):
            own = None if seed is None else int(np.random.SeedSequence([seed, i]).generate_state(1)[0])
            frame = self.sample(str(name), int(count), seed=own, temperature=temperature)
            frame.insert(label["position"], label["name"], _typed([values[str(name)]] * len(frame), label))
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)


def forest_features(values: Array, modes: Array) -> NDArray[np.float32]:
    """Give what the filter's forest sees of scalars ``(N, S)`` and modes ``(N, B)``: both, ``(N, S + B)``."""
    limit = np.finfo(np.float32).max
    return np.hstack([np.clip(values, -limit, limit), modes]).astype(np.float32)


def _nearest(observed: Array, values: Array) -> NDArray[np.float64]:
    """Give the nearest of some sorted observed numbers for each value."""
    right = np.clip(np.searchsorted(observed, values), 1, max(1, len(observed) - 1))
    low, high = observed[right - 1], observed[np.minimum(right, len(observed) - 1)]
    return np.where(values - low <= high - values, low, high)


def _column(entry: dict[str, Any], draw: _Draw) -> pd.Series | pd.Categorical:
    """Write one column: its mode's own value, or the scalar where the mode says "some other number"."""
    count = len(draw.values)
    if entry["block"] is None:
        if entry["scalar"] is None:
            return _typed([entry["modes"][0]] * count, entry)
        return _typed(draw.values[:, entry["scalar"]], entry)
    mode = draw.modes[:, entry["block"]]
    if entry["low"] is None:
        codes = np.array([-1 if value is None else i for i, value in enumerate(entry["modes"])])[mode]
        known = pd.Categorical.from_codes(codes, [value for value in entry["modes"] if value is not None])
        return _typed(known, entry)
    numbers = np.array([np.nan if value is None else value for value in entry["modes"]], dtype=np.float64)
    chosen = np.append(numbers, 0.0)[mode]
    if entry["scalar"] is not None:
        chosen = np.where(mode == len(numbers), draw.values[:, entry["scalar"]], chosen)
    return _typed(chosen, entry)


def _typed(values: Any, entry: dict[str, Any]) -> pd.Series:  # noqa: ANN401 - whatever pandas takes
    """Give values the column's own dtype."""
    if entry["dtype"] == "category":
        return pd.Series(values, dtype=pd.CategoricalDtype(entry["categories"], ordered=entry["ordered"]))
    if isinstance(values, pd.Categorical):
        values = values.astype(object)
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
            context: PythonModelContext,  # noqa: ARG002 - MLflow's signature
            model_input: pd.DataFrame,
            params: dict[str, Any] | None = None,
        ) -> pd.DataFrame:
            params = params or {}
            seed = params.get("seed", -1)
            return self.generator.table(
                model_input, seed=None if seed < 0 else seed, temperature=params.get("temperature", 1.0)
            )

    set_model(RegisteredGenerator())


if not __package__:
    _serve()
