"""A CSV file that grows by the lines of whole cells and outlives the death of its writer."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING

import pandas as pd

from rareflow.errors import StoreError
from rareflow.workflows.files import write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Key", "Lines", "Place"]

Key = tuple[str, str, str]
"""The cell of a line as the file has it: shots, seed, augmenter."""

Place = tuple[float, int, int, str]
"""Where a cell stands among the others."""

_KEY = ("shots", "seed", "augmenter")


class Lines:
    """The lines of a file, read once; a last line that was half written is none.

    Parameters
    ----------
    path
        The file, which need not exist; it is made with the first lines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = path.read_bytes() if path.exists() else b""
        # What follows the last line's end may be cut off within a character.
        whole = content[: content.rfind(b"\n") + 1].decode()
        records = list(csv.reader(io.StringIO(whole)))
        self._header = records[0] if records else []
        self._lines = [record for record in records[1:] if len(record) == len(self._header)]
        self._is_on_disk = content == self._text().encode()

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def keys(self) -> list[Key]:
        """The cell of each line."""
        return [self._key(line) for line in self._lines]

    def frame(self) -> pd.DataFrame:
        """Give the lines as a frame: shots and classes as text, be it empty; numbers as numbers."""
        text = dict.fromkeys(("table", "split", "shots", "augmenter", "detector", "class"), str)
        gaps = {name: [""] for name in self._header if name not in text}
        return pd.read_csv(io.StringIO(self._text()), dtype=text, keep_default_na=False, na_values=gaps)

    def append(self, frame: pd.DataFrame) -> None:
        """Add a frame's rows; they are on the disk when this returns.

        Raises
        ------
        StoreError
            If the file has other columns, or cannot be written.
        """
        header, *lines = csv.reader(io.StringIO(frame.to_csv(index=False, lineterminator="\n")))
        if not self._header:
            self._header = header
            self._write()
        if header != self._header:
            raise StoreError(
                f"{str(self.path)!r} has the columns {', '.join(self._header)}, a new cell "
                f"{', '.join(header)}; another version of rareflow made the file: choose another --out"
            )
        self._lines += lines
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(_csv(lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as err:
            raise StoreError(
                f"{str(self.path)!r} cannot be written ({err.strerror}); the cells before this one are kept, "
                "and the same command continues"
            ) from err

    def mend(self, whole: set[Key]) -> None:
        """Drop the lines of all other cells and what was half written, and bring the file up to that."""
        kept = [line for line in self._lines if self._key(line) in whole]
        if len(kept) < len(self._lines) or not self._is_on_disk:
            self._lines = kept
            self._write()

    def sort(self, place: Callable[[Key], Place]) -> None:
        """Order the lines by the places of their cells; the file stays as it is until it is mended."""
        self._lines.sort(key=lambda line: place(self._key(line)))
        self._is_on_disk = not self._lines

    def _key(self, line: list[str]) -> Key:
        shots, seed, augmenter = (line[self._header.index(name)] for name in _KEY)
        return shots, seed, augmenter

    def _text(self) -> str:
        return _csv([self._header, *self._lines]) if self._header else ""

    def _write(self) -> None:
        write_text(self._text(), self.path)
        self._is_on_disk = True


def _csv(records: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(records)
    return buffer.getvalue()
