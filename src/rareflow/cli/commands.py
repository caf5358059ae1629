"""The application: every command under its name."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from rareflow.cli.augment import augment
from rareflow.cli.benchmark import benchmark
from rareflow.cli.doctor import doctor
from rareflow.cli.evaluate import evaluate
from rareflow.cli.prepare import prepare
from rareflow.cli.sync import sync
from rareflow.cli.train import train
from rareflow.cli.tune import tune
from rareflow.cli.worker import worker

__all__ = ["app"]

app = typer.Typer(
    help="Forge the attack records that an intrusion-detection data set lacks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
for command in (tune, worker, train, benchmark, prepare, augment, evaluate, sync, doctor):
    app.command()(command)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("rareflow"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and end."),
    ] = False,
) -> None:
    pass
