"""`rareflow prepare`."""

from __future__ import annotations

import typer

from rareflow.cli import options

__all__ = ["prepare"]


def prepare(
    ctx: typer.Context,
    data: options.Data = "simulated-gas-pipeline",
    label: options.Label = "",
    drop: options.Drop = "",
    recipe: options.Recipe = "",
    categorical: options.Categorical = "",
    infinities: options.Infinities = "",
    rare_classes: options.RareClasses = "error",
    rows: options.Rows = 0,
    seed: options.Seed = 0,
    out: options.Out = "table.parquet",
    csv_safe: options.CsvSafe = "false",
    debug: options.Debug = False,
) -> None:
    """Clean a table and write it with its data card."""
    from rareflow.workflows import prepare as workflow

    typer.echo(workflow.run(options.source(ctx), out=out, csv_safe=options.truth("--csv-safe", csv_safe)))
