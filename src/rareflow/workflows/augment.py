"""`rareflow augment`: a table balanced with a registered generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rareflow.errors import ConfigError
from rareflow.evaluation.balance import new_rows
from rareflow.tracking.registry import load_generator
from rareflow.tracking.store import open_existing_store
from rareflow.workflows.files import check_writable, write_frame
from rareflow.workflows.matching import match_generator
from rareflow.workflows.progress import say
from rareflow.workflows.spreadsheets import check_csv, defused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rareflow.data.table import Table
    from rareflow.generators.portable import PortableGenerator
    from rareflow.workflows.settings import DataSettings

__all__ = ["run"]


def run(
    source: DataSettings,
    *,
    model: str,
    out: str,
    class_rows: int | None,
    mark: str,
    seed: int,
    csv_safe: bool = False,
) -> str:
    """Write the table with forged rows after its own; give the rows by class for the screen.

    Parameters
    ----------
    source
        How the table is read.
    model
        URI of a registered or logged generator.
    out
        The file to write.
    class_rows
        Rows that each class is to have, real and forged together, >= 0; ``None``: what the generator's study
        found best, class by class.
    mark
        Name of a boolean column to add that says which rows are forged; empty: none.
    seed
        Seed of the forged rows.
    csv_safe
        Whether no text of a CSV may begin a spreadsheet's formula; see `defused`.
    """
    path = check_writable(out)
    check_csv(path, csv_safe=csv_safe)
    open_existing_store()
    loaded = load_generator(model)
    table = match_generator(source.like(loaded.generator).table, loaded.generator)
    if mark in table.frame.columns:
        raise ConfigError(f"--mark {mark!r} is a column of the table already; choose another name")
    by_class = loaded.class_rows if class_rows is None else dict.fromkeys(table.class_counts, class_rows)
    counts = new_rows(table.class_counts, by_class)
    frame = _balanced(table, counts, loaded.generator, seed)
    if mark:
        frame = frame.assign(**{mark: np.arange(len(frame)) >= len(table)})
    write_frame(defused(frame) if csv_safe else frame, path)
    return f"{_class_lines(table, counts)}\nWrote {len(frame):,} rows to {path}"


def _balanced(
    table: Table, counts: Mapping[str, int], generator: PortableGenerator, seed: int
) -> pd.DataFrame:
    """Put the forged rows after the table's own, in its columns and dtypes."""
    if not counts:
        return table.frame
    say(f"Forging {sum(counts.values()):,} rows ...")
    wanted = pd.DataFrame({"label": list(counts), "count": list(counts.values())})
    forged = generator.table(wanted, seed=seed)[list(table.frame.columns)]
    return pd.concat([table.frame, forged.astype(table.frame.dtypes)], ignore_index=True)


def _class_lines(table: Table, counts: Mapping[str, int]) -> str:
    width = max(map(len, table.class_counts))
    return "\n".join(
        f"{label:<{width}}  {rows:>9,} real {counts.get(label, 0):>9,} forged"
        for label, rows in table.class_counts.items()
    )
