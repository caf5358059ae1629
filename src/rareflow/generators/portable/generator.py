"""The fitted generator: rows of a class, or of many, in the table's own columns."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import files
from .columns import column, taken, typed
from .filter import Filter
from .kernels import put
from .layout import Layout
from .sampling import Sampling
from .spec import check_spec
from .tensors import FORESTS, check_size, check_tensors, check_values, tensors_of
from .threads import in_threads
from .wanted import Wanted, check_wanted, read_counts, read_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .kernels import Array
    from .layout import Draw

__all__ = ["MAX_ROWS", "PortableGenerator"]

MAX_ROWS = 1_000_000
"""What one call of a served model gives at most, unless its operator says otherwise."""

_CHUNK_ROWS = 4_096  # drawn at once, so few that they stay in the processor's cache
_FILTER_ROUNDS = 4  # so many times the rows asked for are judged; then any will do


class PortableGenerator:
    """A fitted generator: the decoder, the codec's way back, and the real rows that sampling stays near.

    Parameters
    ----------
    spec
        What JSON can hold: columns, label, classes, layout, sampling settings. Codec, mode and snap are read
        here, once: for others make another generator.
    tensors
        What safetensors holds: weights ``decoder.*``, the scalars' scales ``scalar.*``, the anchors
        ``anchors.*`` (real rows in codec space, their latent posterior and neighbours, class by class) and,
        where a filter was asked for, its two forests ``forest.classes.*`` and ``forest.numbers.*``.

    Attributes
    ----------
    sampling
        Draws rows of one class.
    filter
        Judges them.
    """

    def __init__(self, spec: dict[str, Any], tensors: dict[str, Array]) -> None:
        check_spec(spec)
        self.spec, self.tensors = spec, tensors
        self.layout = Layout(spec["layout"]["scalars"], tuple(spec["layout"]["sizes"]))
        self.classes: list[str] = [entry["name"] for entry in spec["classes"]]
        check_tensors(spec, self.layout, tensors)
        self.sampling = Sampling(spec, tensors, self.layout)
        self.filter = Filter([forest for prefix in FORESTS if (forest := tensors_of(tensors, prefix))])

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
        spec, tensors = files.read(Path(folder), sha256)
        generator = cls(spec, tensors)
        check_values(spec, tensors)
        check_size(generator.layout, tensors)
        return generator

    @staticmethod
    def digests(folder: str | Path) -> dict[str, str]:
        """Give the SHA-256 of each of the two files, in hexadecimal."""
        return files.digests(Path(folder))

    def save(self, folder: str | Path) -> Path:
        """Write the spec and the weights into a folder, made if need be; no pickle anywhere."""
        files.write(Path(folder), self.spec, self.tensors)
        return Path(folder)

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
        index, whole = check_wanted(label, count, temperature, self.classes)
        wanted = [Wanted(index, whole, np.random.SeedSequence(read_seed(seed)))]
        return self._drawn(wanted, temperature, with_label=False)

    def table(
        self, wanted: pd.DataFrame, *, seed: int | None = None, temperature: float = 1.0
    ) -> pd.DataFrame:
        """Draw the counts that a frame with columns `label` and `count` asks for, the label column included.

        The rows come in the order asked for, in the training table's own columns and dtypes. Errors are
        `sample`'s, and a ValueError if one of the two columns is missing.
        """
        read = read_counts(wanted, self.classes, seed, temperature)
        return self._drawn(read, temperature, with_label=True)

    def batches(
        self, wanted: pd.DataFrame, *, seed: int | None = None, temperature: float = 1.0
    ) -> Iterator[pd.DataFrame]:
        """Draw the rows of `table` as frames of a bounded size, at least one; memory holds a few at a time.

        For a registered model it is ``model.unwrap_python_model().generator.batches``: MLflow's own
        ``predict_stream`` passes on the first row of what it is given only.

        Errors are `table`'s and come at once, before the first frame is asked for.
        """
        parts = self.parts(wanted, seed=seed, temperature=temperature)
        return in_threads(partial(self.draw_part, part) for part in parts)

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
        read = read_counts(wanted, self.classes, seed, temperature)
        return (
            {
                "label": self.classes[one.index],
                "count": rows,
                "temperature": temperature,
                "entropy": own.entropy,
                "spawn_key": list(own.spawn_key),
            }
            for one in read
            for rows, own in one.batches()
        )

    def draw_part(self, part: Mapping[str, Any]) -> pd.DataFrame:
        """Draw the frame of one of `parts`, the label column included; errors are `sample`'s."""
        index, count = check_wanted(part["label"], part["count"], part["temperature"], self.classes)
        seed = np.random.SeedSequence(part["entropy"], spawn_key=part["spawn_key"])
        room = self.layout.room(count)
        self._fill(room, slice(0, count), index, np.random.default_rng(seed), part["temperature"])
        return self._frame(room, np.full(count, index))

    def real_rows(self) -> pd.DataFrame:
        """Give the real rows it draws near, up to 2,000 a class, as training had them; the label included."""
        spans = [np.arange(*entry["anchors"]) for entry in self.spec["classes"]]
        kinds = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
        return self._frame(self.sampling.real(np.concatenate(spans)), kinds)

    def check_total(self, wanted: pd.DataFrame, max_rows: int) -> None:
        """Refuse a frame of counts, as `table` takes it, that asks for more rows than `max_rows` in all."""
        total = sum(one.count for one in read_counts(wanted, self.classes, None, 1.0))
        if total > max_rows:
            raise ValueError(
                f"the counts ask for {total:,} rows, more than {max_rows=}; ask for fewer at a time, or load "
                "the model with model_config={'max_rows': ROWS} (a server: MLFLOW_PYFUNC_INFERENCE_CONFIG)"
            )

    def _drawn(self, wanted: list[Wanted], temperature: float, *, with_label: bool) -> pd.DataFrame:
        """Draw all that is wanted as one frame: threads write each batch where it belongs."""
        room = self.layout.room(sum(one.count for one in wanted))

        def tasks() -> Iterator[Callable[[], None]]:
            start = 0
            for one in wanted:
                for rows, own in one.batches():
                    place, rng = slice(start, start + rows), np.random.default_rng(own)
                    yield partial(self._fill, room, place, one.index, rng, temperature)
                    start += rows

        for _ in in_threads(tasks()):
            pass
        kinds = np.repeat([one.index for one in wanted], [one.count for one in wanted])
        makers = self._makers(room, kinds if with_label else None)
        columns = dict(zip(makers, in_threads(makers.values()), strict=True))
        return pd.DataFrame(columns, index=pd.RangeIndex(len(room)), copy=False)

    def _fill(
        self, room: Draw, place: slice, index: int, rng: np.random.Generator, temperature: float
    ) -> None:
        """Draw rows of a class, by its number, into some room: those that the filter gives to it."""
        start, judged = place.start, _FILTER_ROUNDS * (place.stop - place.start) if self.filter else 0
        while start < place.stop:
            lacking = place.stop - start
            draw = self.sampling.draw(index, min(_CHUNK_ROWS, lacking + lacking // 16 + 1), rng, temperature)
            rows = np.arange(len(draw))
            if judged > 0:  # a filter never costs rows
                judged -= len(draw)
                rows = np.flatnonzero(self.filter.is_own(draw, index))
            rows = rows[:lacking]
            put(draw.scalars, rows, room.scalars, start)
            put(draw.modes, rows, room.modes, start)
            start += len(rows)

    def _frame(self, draw: Draw, kinds: Array | None = None) -> pd.DataFrame:
        """Write rows in the table's own columns, order and dtypes; the label's too, given the classes."""
        columns = {name: make() for name, make in self._makers(draw, kinds).items()}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(draw)), copy=False)

    def _makers(self, draw: Draw, kinds: Array | None) -> dict[str, Callable[[], pd.Series]]:
        """Give for each column of the frame what makes it."""
        makers = [(entry["name"], partial(column, entry, draw)) for entry in self.spec["columns"]]
        if kinds is not None:
            entry = self.spec["label"]
            values = np.array([one["value"] for one in self.spec["classes"]], dtype=object)
            makers.insert(entry["position"], (entry["name"], partial(taken, typed(values, entry), kinds)))
        return dict(makers)
