"""Progress for people: lines on the standard error stream, as often as one can read them."""

from __future__ import annotations

import io
import logging
import sys
import time
from typing import TYPE_CHECKING

from rareflow.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

__all__ = ["Pace", "duration", "listen", "say", "tell_rows"]

_LOGGER = logging.getLogger("rareflow")


class _Screen(logging.Handler):
    """Write to what is the standard error stream at that moment; work goes on where nobody reads it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            # A pipe that its reader closed, a full log, a stream that was closed or never there. MLflow and
            # others write to it too.
            sys.stderr = _Nowhere()


class _Nowhere(io.TextIOBase):
    """A stream that takes everything and keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


def say(message: str) -> None:
    """Tell the user what is happening."""
    _LOGGER.info(redacted(message))


def listen() -> None:
    """Let the user hear: bare lines on the standard error stream of this process."""
    if not _LOGGER.handlers:
        handler = _Screen()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        _LOGGER.addHandler(handler)
        _LOGGER.setLevel(logging.INFO)
        _LOGGER.propagate = False


def duration(seconds: float) -> str:
    """Write a duration as a person reads it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


class Pace:
    """True at most once every so many seconds, so that long work is heard of and short work stays quiet."""

    seconds = 10.0

    def __init__(self) -> None:
        self._last = time.monotonic()

    def due(self) -> bool:
        """Say whether it is time for a word; asking starts the next wait."""
        now = time.monotonic()
        if now - self._last < self.seconds:
            return False
        self._last = now
        return True


def tell_rows(frames: Iterable[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """Pass frames on, and tell how many of so many rows have gone by."""
    pace, done = Pace(), 0
    for frame in frames:
        yield frame
        done += len(frame)
        if pace.due():
            say(f"{done:,} of {rows:,} rows done")
