"""`rareflow benchmark`."""

from __future__ import annotations

from typing import Annotated

import typer

from rareflow.cli import options
from rareflow.data.names import split_names

__all__ = ["benchmark"]


def benchmark(
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
    seed: Annotated[
        int, typer.Option(help="The first seed of everything random.", min=0, max=options.LARGEST_SEED)
    ] = 0,
    seeds: Annotated[
        int, typer.Option(help="How many seeds, one after the other.", min=1, max=options.MOST_SEEDS)
    ] = 10,
    shots: Annotated[
        str,
        typer.Option(
            help="Training rows that every class but the largest keeps, and all: each a table of its own."
        ),
    ] = "10,25,50,100,all",
    augmenters: Annotated[
        str, typer.Option(help="What to compare: RAW,SMOTE,... Unset: every augmenter that is registered.")
    ] = "",
    detectors: Annotated[
        str,
        typer.Option(help="xgb, rf, dt or import paths of classifiers: xgb,sklearn.naive_bayes.GaussianNB."),
    ] = "xgb,rf,dt",
    repeats: Annotated[int, typer.Option(help="Inner splits that amounts are chosen on.", min=1)] = 2,
    jobs: Annotated[int, typer.Option(help="Processes that share the cells.", min=1)] = 1,
    out: Annotated[
        str, typer.Option(help="Folder of results and report; what it lacks is computed.")
    ] = "benchmark",
    fidelity: Annotated[
        str, typer.Option(help="Compare forged rows with real ones too: true or false.")
    ] = "true",
    report_only: Annotated[
        str,
        typer.Option(help="Write the report on all that --out holds, whatever else is given: true or false."),
    ] = "false",
    experiment: options.Experiment = "rareflow",
    n_threads: options.NThreads = 1,
    device: options.Device = "auto",
    debug: options.Debug = False,
) -> None:
    """Compare augmenters over shots and seeds, and report with paired tests."""
    from rareflow.workflows import benchmark as workflow

    if options.truth("--report-only", report_only):
        typer.echo(workflow.report(out))
        return
    how = workflow.BenchmarkSettings(
        shots=split_names(shots),
        seeds=seeds,
        augmenters=split_names(augmenters),
        detectors=split_names(detectors),
        repeats=repeats,
        jobs=jobs,
        out=out,
        fidelity=options.truth("--fidelity", fidelity),
    )
    typer.echo(workflow.run(options.settings(ctx), how))
