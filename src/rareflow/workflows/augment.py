"""`rareflow augment`: a table balanced with a registered generator."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from rareflow.data.columns import with_columns
from rareflow.errors import ConfigError
from rareflow.evaluation.balance import new_rows
from rareflow.tracking.loading import load_generator
from rareflow.tracking.store import open_existing_store
from rareflow.workflows.cluster import check_scheduler
from rareflow.workflows.cluster_batches import batches_on_cluster
from rareflow.workflows.files import check_not_read, check_writable, write_frames
from rareflow.workflows.matching import match_generator
from rareflow.workflows.progress import say, tell_rows
from rareflow.workflows.settings import check_launcher
from rareflow.workflows.spreadsheets import check_csv, defused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rareflow.workflows.reading import DataSettings

__all__ = ["run"]


def run(
    source: DataSettings,
    *,
    model: str,
    out: str,
    class_rows: int | None,
    mark: str,
    seed: int,
    csv_safe: bool = False,
    launcher: str = "local",
    scheduler: str = "",
) -> str:
    """Write the table with forged rows after its own; give the rows by class for the screen.

    Parameters
    ----------
    source
        How the table is read.
    model
        URI of a registered or logged generator.
    out
        The file to write.
    class_rows
        Rows that each class is to have, real and forged together, >= 0; ``None``: what the generator's study
        found best, class by class.
    mark
        Name of a boolean column to add that says which rows are forged; empty: none.
    seed
        Seed of the forged rows.
    csv_safe
        Whether no text of a CSV may begin a spreadsheet's formula; see `defused`.
    launcher
        Who draws the forged rows, which are the same: ``local``, this process; ``dask``, a cluster's workers.
    scheduler
        Address of the cluster's scheduler, for ``dask`` only.
    """
    check_launcher(launcher, scheduler)
    path = check_writable(out)
    check_csv(path, csv_safe=csv_safe)
    uri = open_existing_store()
    if launcher == "dask":
        check_scheduler(scheduler)
    loaded = load_generator(model)
    if not loaded.is_recommended:
        say("The study of this generator found no augmentation best: compare before you use these rows")
    stream = match_generator(source.like(loaded.generator).stream(), loaded.generator)
    check_not_read(path, stream, source.data)
    dtypes = {str(name): dtype for name, dtype in stream.head.dtypes.items()}
    if mark in dtypes:
        raise ConfigError(f"--mark {mark!r} is a column of the table already; choose another name")
    by_class = loaded.class_rows if class_rows is None else dict.fromkeys(stream.class_counts, class_rows)
    counts = new_rows(stream.class_counts, by_class)
    rows = len(stream) + sum(counts.values())
    own, new = _Extent(), _Extent()
    with (
        batches_on_cluster(loaded, uri=uri, scheduler=scheduler)
        if launcher == "dask"
        else nullcontext(loaded.generator.batches)
    ) as batches:
        forged = (frame[list(dtypes)] for frame in new.watch(_forged(counts, batches, seed)))
        parts = [
            _formed(own.watch(stream.frames()), dtypes, mark, is_forged=False),
            _formed(forged, dtypes, mark, is_forged=True),
        ]
        frames = tell_rows(chain.from_iterable(parts), rows)
        write_frames(map(defused, frames) if csv_safe else frames, path)
    for line in own.apart(new):
        say(line)
    return f"{_class_lines(stream.class_counts, counts)}\nWrote {rows:,} rows to {path}"


class _Extent:
    """The least and the largest number of each column in frames that pass."""

    def __init__(self) -> None:
        self._ends: dict[str, tuple[float, float]] = {}

    def watch(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Pass frames on."""
        for frame in frames:
            numbers = frame.select_dtypes("number")
            for name, low, high in zip(numbers.columns, numbers.min(), numbers.max(), strict=True):
                if pd.notna(low):
                    least, most = self._ends.get(str(name), (low, high))
                    self._ends[str(name)] = min(least, low), max(most, high)
            yield frame

    def apart(self, forged: _Extent) -> Iterator[str]:
        """Give a line for each column whose forged numbers all lie beyond those that passed here."""
        for name, (low, high) in forged._ends.items():
            least, most = self._ends.get(name, (low, high))
            if high < least or most < low:
                yield (
                    f"Column {name!r} is from {least:g} to {most:g} in the table, from {low:g} to {high:g} "
                    "in forged rows: has the table other units than the one that the generator learned from?"
                )


def _forged(
    counts: Mapping[str, int], batches: Callable[..., Iterator[pd.DataFrame]], seed: int
) -> Iterator[pd.DataFrame]:
    """Yield the forged rows in frames."""
    if counts:
        say(f"Forging {sum(counts.values()):,} rows ...")
        wanted = pd.DataFrame({"label": list(counts), "count": list(counts.values())})
        yield from batches(wanted, seed=seed)


def _formed(
    frames: Iterable[pd.DataFrame], dtypes: Mapping[str, Any], mark: str, *, is_forged: bool
) -> Iterator[pd.DataFrame]:
    """Give frames the table's dtypes, and the column that marks what is forged if it is wanted."""
    for frame in frames:
        formed = frame.astype(dict(dtypes))
        yield with_columns(formed, {mark: is_forged}) if mark else formed


def _class_lines(class_counts: Mapping[str, int], counts: Mapping[str, int]) -> str:
    width = max(map(len, class_counts))
    return "\n".join(
        f"{label:<{width}}  {rows:>9,} real {counts.get(label, 0):>9,} forged"
        for label, rows in class_counts.items()
    )
