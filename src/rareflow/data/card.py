"""The data card: what a table holds, class by class and column by column, as Markdown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from rareflow.data.survey import Survey
from rareflow.markdown import grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rareflow.data.schema import Column
    from rareflow.data.table import Table

__all__ = ["class_table", "data_card"]

_CATEGORIES_SHOWN = 5


def class_table(table: Table | Survey) -> pd.DataFrame:
    """Count the classes as the paper's Tables 1 and 2 do.

    Returns
    -------
    pandas.DataFrame
        Shape ``(classes, 4)``, the largest class first: ``Type``; ``Type Number``, its place in alphabetical
        order from 0 (capitals first; the paper files the web attacks under B, S and X instead);
        ``Sample Count``; ``Sample Ratio``, its share of the rows in [0, 1].
    """
    counts = table.class_counts
    number = {name: i for i, name in enumerate(sorted(counts))}
    return pd.DataFrame(
        {
            "Type": list(counts),
            "Type Number": [number[name] for name in counts],
            "Sample Count": list(counts.values()),
            "Sample Ratio": [count / len(table) for count in counts.values()],
        }
    )


def data_card(table: Table | Survey) -> str:
    """Describe a table in Markdown: its size and digest, classes, columns, duplicates and notes."""
    survey = table if isinstance(table, Survey) else Survey.of(table)
    schema, (repeated, conflicting) = survey.schema, survey.duplicates
    kinds = Counter(column.kind.value for column in schema.columns).most_common()
    kinds_shown = ", ".join(f"{count} {kind}" for kind, count in kinds)
    clocks = f" ({', '.join(schema.clocks)} left out)" if schema.clocks else ""
    origin = "simulated: no row was measured" if survey.simulated else "as read from the data given"
    facts = [
        f"Rows: {len(survey):,}",
        f"Feature columns: {len(schema.columns)} ({kinds_shown})",
        f"Label: `{survey.label}`, {len(survey.class_counts)} classes",
        f"Origin: {origin}",
        f"Rows that repeat an earlier one{clocks}: {repeated:,} ({repeated / len(survey):.1%})",
        f"Feature vectors that carry several labels: {conflicting:,}",
        f"Digest ({'SHA-256' if survey.is_joint else 'SHA-256 of the columns, each digested by itself'}): "
        f"`{survey.digest}`",
    ]
    classes = class_table(survey)
    classes["Sample Ratio"] = classes["Sample Ratio"].map("{:.4%}".format)
    columns = [
        (column.name, column.kind.value, column.dtype, _span(column), survey.missing[column.name])
        for column in schema.columns
    ]
    sections = [
        f"# Data card: {survey.name}",
        _bullets(facts),
        "## Classes",
        grid(list(classes.columns), classes.itertuples(index=False)),
        "## Columns",
        grid(["Column", "Kind", "Dtype", "Range or values", "Missing"], columns, text=4),
    ]
    if survey.notes:
        sections += ["## Notes", _bullets(survey.notes)]
    return "\n\n".join(sections) + "\n"


def _span(column: Column) -> str:
    """Give a column's range, or its first values."""
    if column.low is not None:
        return f"{column.low:g}" if column.low == column.high else f"{column.low:g} to {column.high:g}"
    shown = [str(value) for value in column.categories[:_CATEGORIES_SHOWN]]
    more = len(column.categories) - len(shown)
    return ", ".join([*shown, f"{more} more"] if more else shown)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {each}" for each in lines)
