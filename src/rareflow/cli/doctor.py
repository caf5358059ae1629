"""`rareflow doctor`."""

from __future__ import annotations

import typer

from rareflow.cli import options
from rareflow.errors import ConfigError

__all__ = ["doctor"]


def doctor(storage: options.Storage = "", debug: options.Debug = False) -> None:
    """Tell versions, stores and device, what is missing and how to get it; exit code 2 where one fails."""
    from rareflow.workflows import doctor as workflow

    found = workflow.run(storage=options.database(storage))
    typer.echo(found.text)
    if not found.is_well:
        raise typer.Exit(ConfigError.exit_code)
