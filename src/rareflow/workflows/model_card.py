"""The model card of a registered generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.evaluation.balance import new_rows
from rareflow.evaluation.comparison import markdown_table
from rareflow.markdown import grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rareflow.data.table import Table
    from rareflow.evaluation.comparison import Comparison
    from rareflow.workflows.quality import Quality

__all__ = ["model_card"]

_LIMITS = """\
## Limits

- The file holds up to 2,000 training rows of each class as they are: treat it as confidential as the table.
- Rows are drawn near real ones. What an attack class never showed, the generator does not know.
- Columns are forged jointly, records independently: there is no order in time between forged records.
- Scores hold for this table and this way of splitting it; a split by time or site may tell another story.

## Intended use

Balancing the training table of an intrusion detector. Not for testing a detector (score it on real records),
not for publishing a table in place of a confidential one, not for making traffic."""


def model_card(
    train: Table,
    *,
    digest: str,
    protocol: str,
    val: Mapping[str, float],
    class_rows: Mapping[str, int],
    params: Mapping[str, object],
    comparison: Comparison,
    quality: Quality,
) -> str:
    """Write the card, Markdown.

    Parameters
    ----------
    train
        The training part.
    digest
        The whole table's digest.
    protocol
        How the data were split and scored, in one line.
    val
        Validation macro-F1, 0..1, by what was scored.
    class_rows
        Rows that a class is to have, real and forged together, by class.
    params
        The generator's parameters.
    comparison
        Scores on the test part.
    quality
        Fidelity and privacy of the forged rows.
    """
    counts = train.class_counts
    forged = new_rows(counts, class_rows)
    classes = grid(
        ["class", "training rows", "forged rows it adds"],
        ([name, f"{rows:,}", f"{forged.get(name, 0):,}"] for name, rows in counts.items()),
    )
    scores = "\n".join(f"- {name}: {100 * value:.2f} %" for name, value in val.items())
    settings = "\n".join(f"- `{name}`: {value}" for name, value in params.items())
    origin = "simulated rows, not measured ones" if train.simulated else "real rows"
    return f"""\
# Generator for {train.name}

A conditional VAE-WGAN-GP that forges records of {len(counts)} classes in {len(train.schema.columns)} feature
columns. Trained on {origin}: the training part of `{train.name}` ({len(train):,} rows; digest of the whole
table `{digest[:16]}`).

## Protocol

{protocol}. Everything was fitted and chosen on the training part; the test part was scored once.

Validation, mean macro-F1 over the detectors:

{scores}

Test:

{markdown_table(comparison)}

## Forged rows beside real ones

{quality.to_markdown()}

## Rows by class

{classes}

{_LIMITS}

## Parameters

{settings}
"""
