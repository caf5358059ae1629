"""`rareflow evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from rareflow.cli import options

__all__ = ["evaluate"]


def evaluate(
    ctx: typer.Context,
    data: options.Data = "simulated-gas-pipeline",
    test: options.Test = "",
    unseen_classes: options.UnseenClasses = "error",
    model: Annotated[
        str, typer.Option(help="Generator to balance the training part with, as for augment. Unset: none.")
    ] = "",
    label: options.Label = "",
    drop: options.Drop = "",
    recipe: options.Recipe = "",
    categorical: options.Categorical = "",
    infinities: options.Infinities = "",
    rare_classes: options.RareClasses = "error",
    rows: options.Rows = 0,
    sample_rows: options.SampleRows = 300_000,
    split: options.SplitKind = "random",
    test_size: options.TestSize = 0.3,
    seed: options.Seed = 0,
    experiment: options.Experiment = "rareflow",
    n_threads: options.NThreads = 1,
    debug: options.Debug = False,
) -> None:
    """Score the detectors on a test part, before and after augmentation."""
    from rareflow.workflows import evaluate as workflow

    typer.echo(workflow.run(options.settings(ctx), model=model))
