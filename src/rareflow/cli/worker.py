"""`rareflow worker`."""

from __future__ import annotations

from typing import Annotated

import typer

from rareflow.cli import options

__all__ = ["worker"]


def worker(
    storage: options.Storage = "",
    study_name: Annotated[
        str, typer.Option(help="Study to join, as `rareflow tune` says it. Unset: the only one in --storage.")
    ] = "",
    data: Annotated[
        str, typer.Option(help="Where the study's table lies on this machine. Unset: where tune read it.")
    ] = "",
    jobs: Annotated[int, typer.Option(help="Processes to join with.", min=1)] = 1,
    n_threads: options.NThreads = 1,
    device: options.Device = "auto",
    debug: options.Debug = False,
) -> None:
    """Join a study that tune has opened, from any machine, and work until its trials are done."""
    from rareflow.workflows import worker as workflow

    how = workflow.WorkerSettings(
        storage=options.database(storage),
        study_name=study_name,
        data=data,
        jobs=jobs,
        n_threads=n_threads,
        device=device,
    )
    typer.echo(workflow.run(how))
