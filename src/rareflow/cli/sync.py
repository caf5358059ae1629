"""`rareflow sync`."""

from __future__ import annotations

from typing import Annotated

import typer

from rareflow.cli import options

__all__ = ["sync"]


def sync(
    spool: Annotated[
        str, typer.Option(help="Folder that keeps what a tracking server that was away has not got.")
    ] = "rareflow-spool",
    debug: options.Debug = False,
) -> None:
    """Upload what was logged while the tracking server was away."""
    from rareflow.workflows import sync as workflow

    typer.echo(workflow.run(spool))
