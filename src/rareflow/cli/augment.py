"""`rareflow augment`."""

from __future__ import annotations

from typing import Annotated

import typer

from rareflow.cli import options

__all__ = ["augment"]


def augment(
    ctx: typer.Context,
    data: options.Data = "simulated-gas-pipeline",
    model: options.Model = "models:/rareflow-gas-pipeline@champion",
    label: options.Label = "",
    drop: options.Drop = "",
    recipe: options.Recipe = "",
    categorical: options.Categorical = "",
    infinities: options.Infinities = "",
    rare_classes: options.RareClasses = "error",
    rows: options.Rows = 0,
    seed: options.Seed = 0,
    class_rows: Annotated[
        str,
        typer.Option(
            help="Rows each class is to have, real and forged; none gets more than the largest has. Unset: "
            "the model's own."
        ),
    ] = "",
    mark: Annotated[
        str, typer.Option(help="Boolean column to add that is true in forged rows. Unset: none.")
    ] = "",
    out: options.Out = "balanced.parquet",
    csv_safe: options.CsvSafe = "false",
    launcher: Annotated[
        str, typer.Option(help="Who draws the forged rows: local, or dask for a Dask cluster's workers.")
    ] = "local",
    scheduler: options.Scheduler = "",
    debug: options.Debug = False,
) -> None:
    """Balance a training table with a registered generator."""
    from rareflow.workflows import augment as workflow

    wanted = options.whole("--class-rows", class_rows) if class_rows else None
    typer.echo(
        workflow.run(
            options.source(ctx, is_split=False),
            model=model,
            out=out,
            class_rows=wanted,
            mark=mark,
            seed=seed,
            csv_safe=options.truth("--csv-safe", csv_safe),
            launcher=launcher,
            scheduler=scheduler,
        )
    )
