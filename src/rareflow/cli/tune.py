"""`rareflow tune`."""

from __future__ import annotations

from typing import Annotated

import typer

from rareflow.cli import options

__all__ = ["tune"]


def tune(
    ctx: typer.Context,
    data: options.Data = "simulated-gas-pipeline",
    label: options.Label = "",
    drop: options.Drop = "",
    recipe: options.Recipe = "",
    categorical: options.Categorical = "",
    infinities: options.Infinities = "",
    rare_classes: options.RareClasses = "error",
    rows: options.Rows = 0,
    sample_rows: options.SampleRows = 300_000,
    test: options.Test = "",
    unseen_classes: options.UnseenClasses = "error",
    split: options.SplitKind = "random",
    test_size: options.TestSize = 0.3,
    seed: options.Seed = 0,
    n_trials: Annotated[
        int, typer.Option(help="Trials in all, RAW and those of earlier sessions counted.", min=2)
    ] = 20,
    repeats: Annotated[
        int, typer.Option(help="Inner splits that a trial is scored on; with 1, any lead counts.", min=1)
    ] = 3,
    tune_rows: Annotated[
        int, typer.Option(help="Training rows used in a trial; the largest classes are thinned first.")
    ] = 20_000,
    jobs: Annotated[int, typer.Option(help="Processes that share the trials.", min=1)] = 1,
    storage: options.Storage = "",
    study_name: Annotated[
        str, typer.Option(help="Study to make or continue. Unset: named after data and protocol.")
    ] = "",
    launcher: Annotated[
        str,
        typer.Option(
            help="Where the --jobs processes start: local, or dask for `rareflow worker` on a Dask cluster."
        ),
    ] = "local",
    scheduler: options.Scheduler = "",
    experiment: options.Experiment = "rareflow",
    n_threads: options.NThreads = 1,
    device: options.Device = "auto",
    debug: options.Debug = False,
) -> None:
    """Tune a generator, score the winner beside RAW and SMOTE, and register it."""
    from rareflow.workflows import tune as workflow

    how = workflow.StudySettings(
        n_trials=n_trials,
        repeats=repeats,
        tune_rows=tune_rows,
        jobs=jobs,
        storage=options.database(storage),
        study_name=study_name,
        launcher=launcher,
        scheduler=scheduler,
    )
    typer.echo(workflow.run(options.settings(ctx), how))
