"""`rareflow prepare`: a cleaned table and its data card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.data.card import data_card
from rareflow.workflows.files import check_writable, write_frame, write_text
from rareflow.workflows.progress import say
from rareflow.workflows.spreadsheets import check_csv, defused

if TYPE_CHECKING:
    from rareflow.workflows.settings import DataSettings

__all__ = ["run"]


def run(source: DataSettings, *, out: str, csv_safe: bool = False) -> str:
    """Write the table to `out` and its card beside it, with the ending ``.md``; give the card.

    With `csv_safe` no text of a CSV begins a spreadsheet's formula; see `defused`.
    """
    path = check_writable(out)
    check_csv(path, csv_safe=csv_safe)
    table = source.table
    card = data_card(table)
    write_frame(defused(table.frame) if csv_safe else table.frame, path)
    write_text(card, path.with_name(path.name + ".md"))
    say(f"Wrote {len(table):,} rows to {path} and their card to {path.name}.md")
    return card
