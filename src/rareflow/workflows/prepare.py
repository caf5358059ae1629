"""`rareflow prepare`: a cleaned table and its data card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.data.card import data_card
from rareflow.data.survey import Survey
from rareflow.errors import StoreError
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
    beside = path.with_name(path.name + ".md")
    if beside.is_dir():
        raise StoreError(
            f"the card of --out {out!r} cannot be written: {beside.name!r} is a folder; rename one"
        )
    check_csv(path, csv_safe=csv_safe)
    stream = source.stream()
    check_not_read(path, stream, source.data)
    survey = Survey(stream)
    frames = tell_rows(survey.watch(stream.frames()), len(stream))
    card = ""

    def write_card() -> None:
        nonlocal card
        card = data_card(survey)
        write_text(card, beside)

    write_frames(map(defused, frames) if csv_safe else frames, path, before=write_card)
    say(f"Wrote {len(stream):,} rows to {path} and their card to {beside.name}")
    return card
