"""Columns that no option has settled yet, those of text and of times: refused with what settles each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from rareflow.data.dtypes import is_text, values_dtype
from rareflow.data.names import shell_names, shortened
from rareflow.data.schema import MAX_CATEGORIES
from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rareflow.data.source import Source

__all__ = ["check_columns"]


def check_columns(head: pd.DataFrame, declared: Sequence[str], label: str, source: Source) -> None:
    """Refuse features that hold text which nobody declared, and those that hold times or the like.

    Parameters
    ----------
    head
        The columns with their dtypes; no row is needed.
    declared
        Columns whose values are categories: text may be, times may not.
    label
        The label column's name.
    source
        Gives the rows, which show what a column of text holds, and names them.

    Raises
    ------
    DataError
        If there is such a column. All are named, with the options or the change of the file that mends each.
    """
    features = [name for name in head.columns if name != label]
    undeclared = [name for name in features if is_text(head[name].dtype) and name not in declared]
    others = [name for name in features if not (is_text(head[name].dtype) or _is_usable(head[name]))]
    texts = _texts(source, undeclared) if undeclared else {}
    parts = []
    if texts:
        shown = ", ".join(f"{name!r} ({text})" for name, text in texts.items())
        parts.append(f"text in columns that nobody declared: {shown}")
    if others:
        shown = ", ".join(f"{name!r} ({values_dtype(head[name])})" for name in others)
        parts.append(f"columns that hold neither numbers nor categories: {shown}")
    if parts:
        refused = [name for name in features if name in texts or name in others]
        raise DataError(
            "; ".join([*parts, *_remedies(refused, texts, [name for name in declared if name in features])])
        )


def _is_usable(column: pd.Series) -> bool:
    """Tell whether a column holds numbers, truth values, or categories of those or of text."""
    dtype = values_dtype(column)
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    return pd.api.types.is_numeric_dtype(dtype) or (is_category and is_text(dtype))


@dataclass
class _Text:
    """What has been seen of a column of text.

    Attributes
    ----------
    first
        Its first value, as it is shown.
    odd, row, place
        The first value that is no number, as it is shown, its row, from 0; -1: none so far; and its name.
    in_header
        Whether that row repeats the header.
    has_numbers
        Whether other values are numbers.
    values
        The different values, as text; where there are more than ``MAX_CATEGORIES``, some more than that.
    """

    first: str = ""
    odd: str = ""
    row: int = -1
    place: str = ""
    in_header: bool = False
    has_numbers: bool = False
    values: set[str] = field(default_factory=set)

    def add(self, frame: pd.DataFrame, name: str, names: Sequence[str], before: int) -> None:
        """Look at a further frame, which so many rows stand before; `names` are all columns of text."""
        present = frame[name].dropna()
        if present.empty:
            return
        self.first = self.first or shortened(repr(present.iloc[0]))
        is_number = pd.to_numeric(present, errors="coerce").notna()
        self.has_numbers = self.has_numbers or bool(is_number.any())
        if self.row < 0 and not is_number.all():
            row = present.index[~is_number][0]
            self.odd, self.row = shortened(repr(frame[name][row])), before + row
            self.in_header = all(_is_named(frame[other][row], other) for other in names)
        if not self.is_many:
            self.values.update(map(str, present.unique()[: MAX_CATEGORIES + 1]))

    @property
    def is_mixed(self) -> bool:
        """Whether numbers and other text stand side by side."""
        return self.has_numbers and self.row >= 0

    @property
    def repeats_header(self) -> bool:
        """Whether it is a column of numbers but for the header that stands among them."""
        return self.is_mixed and self.in_header

    @property
    def is_many(self) -> bool:
        """Whether there are more different values than a column may have categories."""
        return len(self.values) > MAX_CATEGORIES

    def __str__(self) -> str:
        shown = f"{self.odd} among numbers, {self.place}" if self.is_mixed else self.first
        return f"{shown}, over {MAX_CATEGORIES:,} different values" if self.is_many else shown


def _is_named(value: object, name: str) -> bool:
    """Tell whether a value is a column's name, or what its name was before it got a suffix."""
    return str(value).strip() in {name, re.sub(r"\.\d+$", "", name)}


def _texts(source: Source, names: Sequence[str]) -> dict[str, _Text]:
    """Look at columns of text in all rows."""
    texts, before = {name: _Text() for name in names}, 0
    for frame in source.frames():
        for name, text in texts.items():
            text.add(frame, name, names, before)
        before += len(frame)
    places = {row: source.place(row) for row in {text.row for text in texts.values() if text.is_mixed}}
    for text in texts.values():
        text.place = places.get(text.row, "")
    return texts


def _remedies(refused: Sequence[str], texts: Mapping[str, _Text], given: Sequence[str]) -> list[str]:
    """Say what mends these columns: options that can be given as they stand, and changes of the file.

    To declare what is text by accident would make categories of a column of numbers, so no option is offered
    against a repeated header; and none that a generator refuses later for its many categories.
    """
    remedies = []
    dropped = [name for name in refused if name not in texts or not texts[name].repeats_header]
    declared = [name for name in dropped if name in texts and not texts[name].is_many]
    others = [name for name in dropped if name not in declared]
    if declared:
        besides = f" --drop {shell_names(others)}" if others else ""
        remedies.append(
            f"add --categorical {shell_names([*given, *declared])}{besides} or --drop {shell_names(dropped)}"
        )
    elif dropped:
        remedies.append(f"leave them out with --drop {shell_names(dropped)}")
    if any(text.is_mixed and not text.repeats_header for text in texts.values()):
        remedies.append(
            "text among numbers that stands for a missing value can be written as an empty cell in the file"
        )
    places = dict.fromkeys(text.place for text in texts.values() if text.repeats_header)
    remedies += [f"{place} repeats the header: remove it, and any like it, from the file" for place in places]
    return remedies
