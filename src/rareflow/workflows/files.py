"""Files that appear whole or not at all."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rareflow.data.readers import is_named
from rareflow.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pandas as pd

    from rareflow.data.stream import Stream

__all__ = ["check_not_read", "check_writable", "write_frames", "write_text"]


def check_writable(out: str) -> Path:
    """Check, before any work is done, that a table can be written there.

    Raises
    ------
    ConfigError
        If the ending is unknown.
    StoreError
        If the folder is missing or cannot be written.
    """
    path = Path(out)
    _ending(path)
    if path.is_dir() or not path.parent.is_dir():
        raise StoreError(
            f"--out {out!r} cannot be written: {str(path.parent)!r} must be a folder and {out!r} a file in it"
        )
    try:
        with tempfile.TemporaryFile(dir=_target(path).parent):
            pass
    except OSError as err:
        raise StoreError(
            f"--out {out!r} cannot be written ({err.strerror}); give a folder that you may write"
        ) from err
    return path


def check_not_read(path: Path, stream: Stream, data: str) -> None:
    """Refuse to write over a file that the table is read from, or where it would be read from next time.

    Parameters
    ----------
    path
        What is to be written.
    stream, data
        The table, and the file, the folder or the glob that it is of.

    Raises
    ------
    ConfigError
        If it is one of the table's files, or will be.
    """
    if path.resolve() in {part.path.resolve() for part in stream.source.parts}:
        raise ConfigError(f"--out {str(path)!r} is a file that --data names; give --out another name")
    if is_named(data, path) or is_named(data, _target(path)):
        raise ConfigError(
            f"--out {str(path)!r} would be among the files of --data {data!r} from then on; give --out "
            "another folder or name"
        )


def write_frames(
    frames: Iterable[pd.DataFrame], path: Path, *, before: Callable[[], object] = lambda: None
) -> None:
    """Write a table, one frame after the other, as the file's ending says: Parquet, CSV or CSV.gz.

    Parameters
    ----------
    frames
        One or more, all of the same columns and dtypes. Whatever asking for the next one raises leaves the
        file as it was.
    path
        The file.
    before
        Called when the table is written and does not stand under its name yet; what it raises leaves the file
        as it was.
    """

    def write(scratch: Path) -> None:
        _WRITERS[_ending(path)](iter(frames), scratch)
        before()

    _atomically(path, write)


def _write_parquet(frames: Iterator[pd.DataFrame], path: Path) -> None:
    first = pa.Table.from_pandas(next(frames), preserve_index=False)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for frame in frames:
            writer.write_table(pa.Table.from_pandas(frame, schema=first.schema, preserve_index=False))


def _write_csv(frames: Iterator[pd.DataFrame], path: Path) -> None:
    with path.open("wb") as file:
        _write_lines(frames, file)


def _write_gzip(frames: Iterator[pd.DataFrame], path: Path) -> None:
    # Neither a name nor a time in its head: equal tables are equal files.
    with path.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        _write_lines(frames, packed)


def _write_lines(frames: Iterator[pd.DataFrame], file: BinaryIO | gzip.GzipFile) -> None:
    next(frames).to_csv(file, index=False)
    for frame in frames:
        frame.to_csv(file, index=False, header=False)


_WRITERS: dict[str, Callable[[Iterator[pd.DataFrame], Path], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".csv.gz": _write_gzip,
}


def _ending(path: Path) -> str:
    ending = next((ending for ending in _WRITERS if path.name.endswith(ending)), None)
    if ending is None:
        raise ConfigError(f"--out {str(path)!r} must end in {', '.join(_WRITERS)}")
    return ending


def write_text(text: str, path: Path) -> None:
    """Write text in UTF-8."""
    _atomically(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))


def _target(path: Path) -> Path:
    """Give the file that is written: the one that a link leads to, so that the link stays."""
    return Path(os.path.realpath(path))


def _atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the target, then rename: what stood there stays whole until the new file is."""
    target = _target(path)
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        write(scratch)
        scratch.replace(target)
    except OSError as err:
        raise StoreError(
            f"{str(path)!r} cannot be written ({err.strerror or err}); what stood there is unchanged"
        ) from err
    finally:
        scratch.unlink(missing_ok=True)
