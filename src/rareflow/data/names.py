"""Column names: told apart, found, and shown to a user who has misspelt one."""

from __future__ import annotations

import csv
import difflib
import io
import shlex
from typing import TYPE_CHECKING

from rareflow.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

__all__ = [
    "check_names",
    "find_label",
    "joined_names",
    "shell_names",
    "shortened",
    "shown_names",
    "split_names",
    "unique_names",
]

_NAMES_SHOWN = 8
_SHOWN = 80  # characters of each


def unique_names(names: list[str]) -> list[str]:
    """Trim names of white space, and give every repeated one the first free suffix ``.1``, ``.2``, ..."""
    trimmed = [str(name).strip() for name in names]
    taken = set(trimmed)
    seen: set[str] = set()
    unique = []
    for name in trimmed:
        candidate, suffix = name, 0
        while candidate in seen or (suffix and candidate in taken):
            suffix += 1
            candidate = f"{name}.{suffix}"
        seen.add(candidate)
        unique.append(candidate)
    return unique


def find_label(frame: pd.DataFrame, label: str, dropped: Sequence[str]) -> str:
    """Check that the label column is there, once.

    Parameters
    ----------
    frame
        The frame as it was read.
    label
        The label column's name; empty if nobody said.
    dropped
        The columns to leave out.

    Raises
    ------
    DataError
        If it is not said, is missing, is to be left out, or occurs twice.
    """
    if not label:
        raise DataError(
            f"no label column is given; add --label NAME, as in --label {shlex.quote(frame.columns[-1])} "
            "(the last column)"
        )
    if label in dropped:
        raise DataError(f"the column {label!r} is given twice, as --label and in --drop; take it out of one")
    if label not in frame.columns:
        raise DataError(f"no label column {label!r}{_near(label, frame.columns)}")
    second = f"{label}.1"
    if second in frame.columns and second not in dropped:
        raise DataError(
            f"the label column {label!r} occurs twice (the second as {second!r}); "
            f"leave one out with --drop {shell_names([second])}"
        )
    return label


def check_names(columns: Sequence[str], names: Sequence[str], option: str) -> None:
    """Refuse an option that names a column which is not there."""
    for name in names:
        if name not in columns:
            raise DataError(f"{option}: no column {name!r}{_near(name, columns)}")


def _near(name: str, columns: Iterable[str]) -> str:
    """Say which columns there are, and which of them are spelt nearly so."""
    names = list(columns)
    by_lower = {other.lower(): other for other in names}
    near = [by_lower[other] for other in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    return f"; did you mean {' or '.join(near)}?" if near else f"; the columns are {shown_names(names)}"


def split_names(text: str) -> tuple[str, ...]:
    """Split what an option is given, such as ``a,b,c``; double quotes hold a comma: ``"a,b",c``, as in a CSV.

    Raises
    ------
    ConfigError
        If a line's end stands between quoted names, outside of quotes.
    """
    names = text.split(",")
    if '"' in text:
        try:
            (names,) = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
        except (csv.Error, ValueError) as err:
            raise ConfigError(
                f"the names {text!r} cannot be told apart; write each in double quotes, and a double quote "
                'in it twice, as in \'"bytes,in","other"\''
            ) from err
    return tuple(name.strip() for name in names if name.strip())


def joined_names(names: Iterable[str]) -> str:
    """Write names so that `split_names` gives them back."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(names)
    return text.getvalue().removesuffix("\r\n")


def shell_names(names: Iterable[str]) -> str:
    """Write names as a shell takes them in an option that `split_names` reads."""
    return shlex.quote(joined_names(names))


def shown_names(names: Sequence[str]) -> str:
    """List names, the last of a long list among them, for there the label often stands."""
    shown = [shortened(name) for name in names]
    if len(shown) <= _NAMES_SHOWN:
        return ", ".join(shown)
    return f"{', '.join(shown[: _NAMES_SHOWN - 1])}, ... ({len(shown)} in all), {shown[-1]}"


def shortened(text: str) -> str:
    """Cut what is too long for one of several things that a line shows."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
