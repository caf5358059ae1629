"""The model card of a registered generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.evaluation.balance import new_rows
from rareflow.evaluation.comparison import OURS, RAW, markdown_table
from rareflow.generators.anchors import ANCHORS_PER_CLASS
from rareflow.markdown import grid

if TYPE_CHECKING:
    from rareflow.evaluation.comparison import Comparison
    from rareflow.tuning.winner import Winner
    from rareflow.workflows.quality import Quality
    from rareflow.workflows.studying.task import Task

__all__ = ["model_card"]

_LIMITS = f"""\
## Limits

- The file holds up to {ANCHORS_PER_CLASS:,} training rows of each class as they are: treat it as confidential
  as the table.
- Rows are drawn near real ones. What an attack class never showed, the generator does not know.
- Columns are forged jointly, records independently: there is no order in time between forged records.
- Scores hold for this table and this way of splitting it; a split by time or site may tell another story.

## Intended use

Balancing the training table of an intrusion detector. Not for testing a detector (score it on real records),
not for publishing a table in place of a confidential one, not for making traffic."""


def model_card(task: Task, winner: Winner, comparison: Comparison, quality: Quality) -> str:
    """Write the card, Markdown.

    Parameters
    ----------
    task
        What the study was about.
    winner
        What it chose.
    comparison
        Scores on the test part.
    quality
        Fidelity and privacy of the forged rows.
    """
    train, counts = task.train, task.train.class_counts
    forged = new_rows(counts, winner.candidate.class_rows)
    classes = grid(
        ["class", "training rows", "forged rows it adds"],
        ([name, f"{rows:,}", f"{forged.get(name, 0):,}"] for name, rows in counts.items()),
    )
    settings = "\n".join(f"- `{name}`: {value}" for name, value in winner.candidate.generator.items())
    origin = "simulated rows, not measured ones" if train.simulated else "real rows"
    return f"""\
# Generator for {train.name}

A conditional VAE-WGAN-GP that forges records of {len(counts)} classes in {len(train.schema.columns)} feature
columns. Trained on {origin}: the training part of `{train.name}` ({len(train):,} rows; digest of the whole
table `{task.table.digest[:16]}`).

## Protocol

{task.protocol}. Everything was fitted and chosen on the training part; the test part was scored once.

Validation, mean macro-F1 over the detectors:

- {RAW}: {100 * winner.raw_macro_f1:.2f} %
- {OURS}: {100 * winner.val_macro_f1:.2f} %

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
