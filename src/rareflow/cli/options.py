"""The options that commands share, and what they are read as.

MLproject can pass no flags and no missing values: an empty text leaves an option unset.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from rareflow.data.names import split_names
from rareflow.errors import ConfigError

if TYPE_CHECKING:
    from rareflow.workflows.reading import DataSettings
    from rareflow.workflows.settings import Settings

__all__ = [
    "LARGEST_SEED",
    "MOST_SEEDS",
    "Categorical",
    "CsvSafe",
    "Data",
    "Debug",
    "Device",
    "Drop",
    "Experiment",
    "Infinities",
    "Label",
    "Model",
    "NThreads",
    "Out",
    "RareClasses",
    "Recipe",
    "Rows",
    "SampleRows",
    "Scheduler",
    "Seed",
    "SplitKind",
    "Storage",
    "Test",
    "TestSize",
    "UnseenClasses",
    "database",
    "settings",
    "source",
    "truth",
    "whole",
]

LARGEST_SEED, MOST_SEEDS = 4_000_000_000, 100_000_000
"""Together, with the splits' own, below 2**32."""

_STORAGE = "RAREFLOW_STORAGE"

Data = Annotated[
    str,
    typer.Option(
        help="The table: simulated-gas-pipeline, a file (CSV, CSV.gz, ARFF, Parquet), a folder, a "
        "quoted glob. Parquet may be larger than memory."
    ),
]
Label = Annotated[
    str,
    typer.Option(
        help="Label column. Unset: the recipe's, or the model's; where neither is, it has to be given."
    ),
]
Drop = Annotated[
    str,
    typer.Option(
        help="Columns to leave out, such as clocks and identifiers: a,b,c; a name that holds a comma in "
        "double quotes. Unset: none."
    ),
]
Recipe = Annotated[
    str, typer.Option(help="Known data set: gas-pipeline, cic-ids-2017, nsl-kdd or unsw-nb15. Unset: none.")
]
Categorical = Annotated[
    str,
    typer.Option(
        help="Columns whose text or numbers are categories: a,b,c, quoted as for --drop. Unset: the recipe's."
    ),
]
Infinities = Annotated[
    str,
    typer.Option(
        help="Infinite values: missing (they become so) or drop (their rows). Unset: the recipe's rule."
    ),
]
RareClasses = Annotated[
    str,
    typer.Option(
        help="Classes of one row in the whole table: error, drop, merge (into one class, Rare) or keep. "
        "Where no split is made (augment, or --test FILE), error keeps them."
    ),
]
Rows = Annotated[int, typer.Option(help="Rows to simulate; 0: the simulator's default, 10000.", min=0)]
SampleRows = Annotated[
    int,
    typer.Option(
        help="Rows of --data to work on; of a larger table a sample is drawn, the largest classes thinned "
        "and rare ones whole. Of --test FILE every row is scored.",
        min=2,
    ),
]
Test = Annotated[
    str,
    typer.Option(
        help="File whose rows are the test part, all of them; --rare-classes goes by --data alone. Unset: a "
        "part of --data, by --split."
    ),
]
UnseenClasses = Annotated[
    str,
    typer.Option(
        help="Classes of --test FILE that have no training row: error, or drop (their rows do not count)."
    ),
]
SplitKind = Annotated[
    str,
    typer.Option(
        "--split",
        help="How rows are parted: random, grouped (equal rows stay together) or blocked (runs of ten do).",
    ),
]
TestSize = Annotated[
    float, typer.Option(help="Share of the rows that test, between 0 and 1; in inner splits too.")
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=LARGEST_SEED)]
Experiment = Annotated[
    str, typer.Option(help="MLflow experiment. Under `mlflow run` its own --experiment-name decides.")
]
NThreads = Annotated[int, typer.Option(help="Threads of each process.", min=1)]
Device = Annotated[str, typer.Option(help="Where generators train: auto, cpu or cuda.")]
Storage = Annotated[
    str,
    typer.Option(help="Optuna's database, an SQLAlchemy URL. Unset: sqlite:///optuna.db.", envvar=_STORAGE),
]
Model = Annotated[
    str, typer.Option(help="Generator: models:/NAME@ALIAS, models:/NAME/VERSION or another MLflow model URI.")
]
Out = Annotated[str, typer.Option(help="File to write: .parquet, .csv or .csv.gz.")]
CsvSafe = Annotated[
    str,
    typer.Option(help="Put an apostrophe before text of a CSV that a spreadsheet would run: true or false."),
]
Scheduler = Annotated[
    str, typer.Option(help="Dask's scheduler, such as tcp://host:8786. Unset: none, as for local.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def source(ctx: typer.Context, *, is_split: bool = True) -> DataSettings:
    """Build the data settings from a command's options; only a split is troubled by a class of one row."""
    from rareflow.workflows.reading import DataSettings

    given = ctx.params
    return DataSettings(
        data=given["data"],
        label=given["label"],
        drop=split_names(given["drop"]),
        recipe=given["recipe"],
        categorical=split_names(given["categorical"]),
        infinities=given["infinities"],
        rare_classes="keep" if not is_split and given["rare_classes"] == "error" else given["rare_classes"],
        rows=given["rows"] or None,
        sample_rows=given.get("sample_rows"),
        seed=given["seed"],
    )


def settings(ctx: typer.Context) -> Settings:
    """Build the settings that train, tune, benchmark and evaluate share."""
    from rareflow.workflows.settings import Settings

    shared = (
        "test", "unseen_classes", "split", "test_size", "seed", "experiment", "n_threads", "device",
    )  # fmt: skip
    return Settings(
        source(ctx, is_split=not ctx.params["test"]),
        **{name: ctx.params[name] for name in shared if name in ctx.params},
    )


def database(storage: str) -> str:
    """Give the study's database; of an empty one, MLproject's, Typer does not ask the environment."""
    return storage or os.environ.get(_STORAGE) or "sqlite:///optuna.db"


def truth(option: str, text: str) -> bool:
    """Read true or false; MLproject can pass no flags."""
    if text.lower() not in {"true", "false"}:
        raise ConfigError(f"{option} {text!r} is neither true nor false")
    return text.lower() == "true"


def whole(option: str, text: str) -> int:
    """Read a whole number of 0 or more; Typer's own refusal would not echo the value."""
    if not text.isdecimal():
        raise ConfigError(f"{option} {text!r} is no whole number of 0 or more, such as 700")
    return int(text)
