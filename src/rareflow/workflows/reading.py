"""How a table is read: the settings of every command that takes one."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from rareflow.data.leaks import leak_note
from rareflow.data.load import open_table
from rareflow.data.names import shell_names
from rareflow.errors import ConfigError
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rareflow.data.checks import Fate
    from rareflow.data.stream import Stream
    from rareflow.data.table import Table
    from rareflow.generators.portable import PortableGenerator

__all__ = ["DataSettings"]


@dataclass(frozen=True)
class DataSettings:
    """How a table is read; every field as in `rareflow.data.load`'s functions."""

    data: str
    label: str = ""
    drop: tuple[str, ...] = ()
    recipe: str = ""
    categorical: tuple[str, ...] = ()
    infinities: str = ""
    rare_classes: str = "error"
    rows: int | None = None
    sample_rows: int | None = None
    seed: int = 0

    def like(self, generator: PortableGenerator) -> DataSettings:
        """Take the label's name from a generator where none is given.

        Raises
        ------
        ConfigError
            If another one is given.
        """
        known = generator.spec["label"]["name"]
        if self.label.strip() not in {"", known}:
            raise ConfigError(
                f"--label {self.label!r}: the label of --model is {known!r}; give that one, or leave --label "
                "out"
            )
        return self if self.label or self.recipe else replace(self, label=known)

    @property
    def options(self) -> str:
        """What tells a command to read another table of the kind as this one, as a shell takes it."""
        named = {
            "--recipe": self.recipe and shlex.quote(self.recipe),
            "--drop": self.drop and shell_names(self.drop),
            "--categorical": self.categorical and shell_names(self.categorical),
            "--infinities": self.infinities,
            "--rare-classes": self.rare_classes if self.rare_classes != "error" else "",
        }
        return " ".join(f"{option} {value}" for option, value in named.items() if value)

    def stream(self, *, test_of: Sequence[str] = ()) -> Stream:
        """Open the table, checked and yet to be read; all of its rows, whatever `sample_rows` is.

        Of a test file `test_of` are the columns of its training table; see `open_table`.
        """
        say(f"Reading {self.data} ...")
        options = asdict(self)
        del options["sample_rows"]
        return open_table(**options, test_of=test_of)

    @property
    def table(self) -> Table:
        """The table, read once, or a sample of it."""
        return self._read[0]

    @property
    def fate(self) -> Fate:
        """What became of the table's classes of one row."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Table, Fate]:
        """The table or its sample, and that fate; nothing else stays in memory.

        Columns that may give the label away are told, and noted for the data card. `prepare` does not come
        here: it passes rows on frame by frame, where no column is seen whole.
        """
        stream = self.stream()
        table = stream.table(self.sample_rows, seed=self.seed)
        if len(table) < len(stream):
            say(table.notes[-1])
        if note := leak_note(table, of=len(stream)):
            say(note)
            table = replace(table, notes=(*table.notes, note))
        return table, stream.fate
