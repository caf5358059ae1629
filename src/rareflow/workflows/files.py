"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rareflow.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["check_writable", "write_frame", "write_text"]

_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".csv.gz": lambda frame, path: frame.to_csv(path, index=False, compression="gzip"),
}


def _ending(path: Path) -> str:
    ending = next((ending for ending in _WRITERS if path.name.endswith(ending)), None)
    if ending is None:
        raise ConfigError(f"--out {str(path)!r} must end in {', '.join(_WRITERS)}")
    return ending


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
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as err:
        raise StoreError(
            f"--out {out!r} cannot be written ({err.strerror}); give a folder that you may write"
        ) from err
    return path


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as its ending says: Parquet, CSV or CSV.gz."""
    _atomically(path, lambda scratch: _WRITERS[_ending(path)](frame, scratch))


def write_text(text: str, path: Path) -> None:
    """Write text in UTF-8."""
    _atomically(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))


def _atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the target, then rename: what stood there stays whole until the new file is."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(scratch)
        scratch.replace(path)
    except OSError as err:
        raise StoreError(
            f"{str(path)!r} cannot be written ({err.strerror or err}); what stood there is unchanged"
        ) from err
    finally:
        scratch.unlink(missing_ok=True)
