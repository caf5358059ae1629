"""`rareflow prepare`: a cleaned table and its data card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.data.card import data_card
from rareflow.workflows.files import check_writable, write_frame, write_text
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from rareflow.workflows.settings import DataSettings

__all__ = ["run"]


def run(source: DataSettings, *, out: str) -> str:
    """Write the table to `out` and its card beside it, with the ending ``.md``; give the card."""
    path = check_writable(out)
    table = source.table
    card = data_card(table)
    write_frame(table.frame, path)
    write_text(card, path.with_name(path.name + ".md"))
    say(f"Wrote {len(table):,} rows to {path} and their card to {path.name}.md")
    return card
