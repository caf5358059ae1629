"""`rareflow augment`: a table balanced with a registered generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rareflow.errors import ConfigError, DataError
from rareflow.evaluation.balance import new_rows
from rareflow.tracking.registry import load_generator
from rareflow.tracking.store import open_existing_store
from rareflow.workflows.files import check_writable, write_frame
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from rareflow.data.table import Table
    from rareflow.generators.portable import PortableGenerator
    from rareflow.workflows.settings import DataSettings

__all__ = ["check_columns", "run"]


def run(source: DataSettings, *, model: str, out: str, growth: float | None, mark: str, seed: int) -> str:
    """Write the table with forged rows after its own; give the rows per class for the screen.

    Parameters
    ----------
    source
        How the table is read.
    model
        URI of a registered or logged generator.
    out
        The file to write.
    growth
        Forged rows for each real one, for every class but the largest; ``None``: what the generator's study
        found best, class by class.
    mark
        Name of a boolean column to add that says which rows are forged; empty: none.
    seed
        Seed of the forged rows.
    """
    path = check_writable(out)
    open_existing_store()
    loaded = load_generator(model)
    generator, source = loaded.generator, source.like(loaded.generator)
    say(f"Reading {source.data} ...")
    table = source.table
    check_columns(table, generator)
    if mark in table.frame.columns:
        raise ConfigError(f"--mark {mark!r} is a column of the table already; choose another name")
    by_class = loaded.growth if growth is None else dict.fromkeys(list(table.class_counts)[1:], growth)
    counts = new_rows(table.class_counts, by_class)
    frame = table.frame
    if counts:
        say(f"Forging {sum(counts.values()):,} rows ...")
        wanted = pd.DataFrame({"label": list(counts), "count": list(counts.values())})
        forged = generator.table(wanted, seed=seed)[list(frame.columns)]
        frame = pd.concat([frame, forged.astype(frame.dtypes)], ignore_index=True)
    if mark:
        frame = frame.assign(**{mark: np.arange(len(frame)) >= len(table)})
    write_frame(frame, path)
    width = max(map(len, table.class_counts))
    lines = [
        f"{label:<{width}}  {rows:>9,} real {counts.get(label, 0):>9,} forged"
        for label, rows in table.class_counts.items()
    ]
    return "\n".join([*lines, f"Wrote {len(frame):,} rows to {path}"])


def check_columns(table: Table, generator: PortableGenerator) -> None:
    """Refuse a table whose columns are not the generator's, or that has a class which it does not know."""
    own = {entry["name"] for entry in generator.spec["columns"]} | {generator.spec["label"]["name"]}
    given = set(table.frame.columns)
    for what, names in (("lacks", own - given), ("has besides", given - own)):
        if names:
            raise DataError(
                f"the table {what} the columns {', '.join(sorted(names))}, compared with the table that --model was "
                "trained on; read it as that was read (--recipe, --label, --drop)"
            )
    unknown = [label for label in table.class_counts if label not in generator.classes]
    if unknown:
        raise DataError(
            f"class {unknown[0]!r} is unknown to --model, whose classes are {', '.join(generator.classes)}; read the "
            "table as its training table was read, or train a generator on this one"
        )
