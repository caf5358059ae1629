"""`rareflow prepare`: a cleaned table and its data card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.data.card import data_card
from rareflow.data.survey import Survey
from rareflow.workflows.files import check_not_read, check_writable, write_frames, write_text
from rareflow.workflows.progress import say, tell_rows
from rareflow.workflows.spreadsheets import check_csv, defused

if TYPE_CHECKING:
    from rareflow.workflows.reading import DataSettings

__all__ = ["run"]


def run(source: DataSettings, *, out: str, csv_safe: bool = False) -> str:
    """Write all rows of the table to `out` and its card beside it, with the ending ``.md``; give the card.

    With `csv_safe` no text of a CSV begins a spreadsheet's formula; see `defused`.
    """
    path = check_writable(out)
    check_csv(path, csv_safe=csv_safe)
    stream = source.stream()
    check_not_read(path, stream, source.data)
    survey = Survey(stream)
    frames = tell_rows(survey.watch(stream.frames()), len(stream))
    write_frames(map(defused, frames) if csv_safe else frames, path)
    card = data_card(survey)
    write_text(card, path.with_name(path.name + ".md"))
    say(f"Wrote {len(stream):,} rows to {path} and their card to {path.name}.md")
    return card
