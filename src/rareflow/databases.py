"""SQLite files that several processes may make at the same time: each appears whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["make_whole", "sqlite_file"]


def sqlite_file(uri: str) -> str:
    """Give the file of an SQLite database's URI; empty for one in memory and for any other URI."""
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):  # no database's
        return ""
    file = url.database or ""
    return file if url.get_backend_name() == "sqlite" and not file.startswith(("file:", ":")) else ""


def make_whole(uri: str, make: Callable[[str], object]) -> None:
    """Make an SQLite database that does not exist yet beside its place and put it there complete.

    Libraries create their tables one by one, and two processes that do so in one file break each other. Of
    several that come at once the first one's file stays; a process that dies leaves none that is half made.

    Parameters
    ----------
    uri
        The database's address; nothing is done where it names no file, or one that exists.
    make
        Makes the tables in the database of the URI that it is given, and closes it.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    url, file = make_url(uri), Path(sqlite_file(uri))
    # What is wrong with a folder that is not there, the library that opens the file says.
    if not file.name or file.exists() or not file.parent.is_dir():
        return
    # A name of its own each time: MLflow makes the tables of an address once in a process.
    scratch = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        scratch.touch()
        make(url.set(database=str(scratch)).render_as_string(hide_password=False))
        _place(scratch, file)
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            scratch.with_name(scratch.name + ending).unlink(missing_ok=True)


def _place(scratch: Path, file: Path) -> None:
    """Put a complete file in its place, unless another process was first."""
    try:
        os.link(scratch, file)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not file.exists():
            scratch.replace(file)
