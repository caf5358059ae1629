"""The command line: parse, call one workflow, print. Nothing else.

Workflows are imported by the command that runs them, so that help comes at once. MLproject can pass no flags
and no missing values: an empty text leaves an option unset.
"""

# ruff: noqa: ARG001, PLC0415 - options that commands share are read off the context; imports wait, as said above

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from rareflow.data.names import split_names
from rareflow.errors import ConfigError, RareflowError, SpooledError, is_stop, lacks_memory
from rareflow.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rareflow.workflows.reading import DataSettings
    from rareflow.workflows.settings import Settings

__all__ = ["app", "main"]

app = typer.Typer(
    help="Forge the attack records that an intrusion-detection data set lacks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)

_FAILED, _BAD_INPUT, _INTERRUPTED = 1, 2, 130
_STORAGE = "RAREFLOW_STORAGE"
_LARGEST_SEED, _MOST_SEEDS = 4_000_000_000, 100_000_000  # together with the splits below 2**32
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
# What MLflow says of a run, an experiment or a model that is not there any more.
_GONE = re.compile("RESOURCE_DOES_NOT_EXIST|must be in the 'active' state")

# What Typer raises for an option that is unknown or unfit; only a subclass has a public name.
_UsageError: Any = typer.BadParameter.__bases__[0]

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
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=_LARGEST_SEED)]
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


def _source(ctx: typer.Context, *, is_split: bool = True) -> DataSettings:
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


def _settings(ctx: typer.Context) -> Settings:
    """Build the settings that train, tune, benchmark and evaluate share."""
    from rareflow.workflows.settings import Settings

    shared = (
        "test", "unseen_classes", "split", "test_size", "seed", "experiment", "n_threads", "device",
    )  # fmt: skip
    return Settings(
        _source(ctx, is_split=not ctx.params["test"]),
        **{name: ctx.params[name] for name in shared if name in ctx.params},
    )


@app.command()
def tune(
    ctx: typer.Context,
    data: Data = "simulated-gas-pipeline",
    label: Label = "",
    drop: Drop = "",
    recipe: Recipe = "",
    categorical: Categorical = "",
    infinities: Infinities = "",
    rare_classes: RareClasses = "error",
    rows: Rows = 0,
    sample_rows: SampleRows = 300_000,
    test: Test = "",
    unseen_classes: UnseenClasses = "error",
    split: SplitKind = "random",
    test_size: TestSize = 0.3,
    seed: Seed = 0,
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
    storage: Storage = "",
    study_name: Annotated[
        str, typer.Option(help="Study to make or continue. Unset: named after data and protocol.")
    ] = "",
    launcher: Annotated[
        str,
        typer.Option(
            help="Where the --jobs processes start: local, or dask for `rareflow worker` on a Dask cluster."
        ),
    ] = "local",
    scheduler: Scheduler = "",
    experiment: Experiment = "rareflow",
    n_threads: NThreads = 1,
    device: Device = "auto",
    debug: Debug = False,
) -> None:
    """Tune a generator, score the winner beside RAW and SMOTE, and register it."""
    from rareflow.workflows import tune as workflow

    how = workflow.StudySettings(
        n_trials=n_trials,
        repeats=repeats,
        tune_rows=tune_rows,
        jobs=jobs,
        storage=_database(storage),
        study_name=study_name,
        launcher=launcher,
        scheduler=scheduler,
    )
    typer.echo(workflow.run(_settings(ctx), how))


@app.command()
def worker(
    storage: Storage = "",
    study_name: Annotated[
        str, typer.Option(help="Study to join, as `rareflow tune` says it. Unset: the only one in --storage.")
    ] = "",
    data: Annotated[
        str, typer.Option(help="Where the study's table lies on this machine. Unset: where tune read it.")
    ] = "",
    jobs: Annotated[int, typer.Option(help="Processes to join with.", min=1)] = 1,
    n_threads: NThreads = 1,
    device: Device = "auto",
    debug: Debug = False,
) -> None:
    """Join a study that tune has opened, from any machine, and work until its trials are done."""
    from rareflow.workflows import worker as workflow

    how = workflow.WorkerSettings(
        storage=_database(storage),
        study_name=study_name,
        data=data,
        jobs=jobs,
        n_threads=n_threads,
        device=device,
    )
    typer.echo(workflow.run(how))


@app.command()
def train(
    ctx: typer.Context,
    data: Data = "simulated-gas-pipeline",
    label: Label = "",
    drop: Drop = "",
    recipe: Recipe = "",
    categorical: Categorical = "",
    infinities: Infinities = "",
    rare_classes: RareClasses = "error",
    rows: Rows = 0,
    sample_rows: SampleRows = 300_000,
    test: Test = "",
    unseen_classes: UnseenClasses = "error",
    split: SplitKind = "random",
    test_size: TestSize = 0.3,
    seed: Seed = 0,
    architecture: Annotated[str, typer.Option(help="vae-wgan-gp, vae, wgan-gp or wgan.")] = "vae-wgan-gp",
    latent_dim: Annotated[int, typer.Option(help="Length of the latent vector z.")] = 16,
    hidden_dim: Annotated[int, typer.Option(help="Width of the hidden layers.")] = 128,
    lambda_gp: Annotated[float, typer.Option(help="Weight of the gradient penalty.")] = 10.0,
    n_critic: Annotated[int, typer.Option(help="Critic steps a generator step.")] = 5,
    kl_weight: Annotated[float, typer.Option(help="Weight of the KL term; the paper's is 1.")] = 0.1,
    learning_rate: Annotated[float, typer.Option(help="Adam's learning rate.")] = 1e-3,
    steps: Annotated[int, typer.Option(help="Generator steps.")] = 300,
    batch_size: Annotated[int, typer.Option(help="Rows a batch.")] = 128,
    precision: Annotated[
        str,
        typer.Option(
            help="Of matrix products: float32, bfloat16 or auto, which is bfloat16 where it pays (large "
            "batches, wide layers, a processor that multiplies it faster)."
        ),
    ] = "auto",
    codec: Annotated[str, typer.Option(help="How numbers are scaled: asinh, quantile or zscore.")] = "asinh",
    sampling: Annotated[
        str,
        typer.Option(
            help="How rows are drawn: prior, posterior, neighbours, interpolation, residual or crossover. "
            "Unset: crossover; prior where the architecture has no encoder."
        ),
    ] = "",
    n_neighbors: Annotated[int, typer.Option(help="Latent neighbours that a row is paired with.")] = 5,
    noise: Annotated[float, typer.Option(help="Factor on the posterior's standard deviation.")] = 1.0,
    filter: Annotated[  # noqa: A002 - the field's word
        str, typer.Option(help="Prefer rows that two forests give to their class: true or false.")
    ] = "true",
    snap: Annotated[
        str, typer.Option(help="Make exact what parents share (shared), every number (observed), or none.")
    ] = "shared",
    class_rows: Annotated[
        str,
        typer.Option(
            help="Rows each class is to have, real and forged; none gets more than the largest has. Unset: "
            "700, or an eighth of the largest class if that is more."
        ),
    ] = "",
    checkpoint_every: Annotated[
        int,
        typer.Option(
            help="Generator steps between checkpoints in the current folder; the same command goes on from "
            "the last. 0: none.",
            min=0,
        ),
    ] = 0,
    experiment: Experiment = "rareflow",
    n_threads: NThreads = 1,
    device: Device = "auto",
    debug: Debug = False,
) -> None:
    """Train one generator with given parameters, score it before and after, and log it; register nothing."""
    from rareflow.workflows import train as workflow

    params = {
        "architecture": architecture,
        "latent_dim": latent_dim,
        "hidden_dim": hidden_dim,
        "lambda_gp": lambda_gp,
        "n_critic": n_critic,
        "kl_weight": kl_weight,
        "learning_rate": learning_rate,
        "steps": steps,
        "batch_size": batch_size,
        "precision": precision,
        "codec": codec,
        "sampling": sampling or None,
        "n_neighbors": n_neighbors,
        "noise": noise,
        "filter": _truth("--filter", filter),
        "snap": snap,
    }
    wanted = _whole("--class-rows", class_rows) if class_rows else None
    typer.echo(workflow.run(_settings(ctx), params, class_rows=wanted, checkpoint_every=checkpoint_every))


@app.command()
def benchmark(
    ctx: typer.Context,
    data: Data = "simulated-gas-pipeline",
    label: Label = "",
    drop: Drop = "",
    recipe: Recipe = "",
    categorical: Categorical = "",
    infinities: Infinities = "",
    rare_classes: RareClasses = "error",
    rows: Rows = 0,
    sample_rows: SampleRows = 300_000,
    test: Test = "",
    unseen_classes: UnseenClasses = "error",
    split: SplitKind = "random",
    test_size: TestSize = 0.3,
    seed: Annotated[
        int, typer.Option(help="The first seed of everything random.", min=0, max=_LARGEST_SEED)
    ] = 0,
    seeds: Annotated[
        int, typer.Option(help="How many seeds, one after the other.", min=1, max=_MOST_SEEDS)
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
        str, typer.Option(help="Write the report on what --out holds and compute nothing: true or false.")
    ] = "false",
    experiment: Experiment = "rareflow",
    n_threads: NThreads = 1,
    device: Device = "auto",
    debug: Debug = False,
) -> None:
    """Compare augmenters over shots and seeds, and report with paired tests."""
    from rareflow.workflows import benchmark as workflow

    if _truth("--report-only", report_only):
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
        fidelity=_truth("--fidelity", fidelity),
    )
    typer.echo(workflow.run(_settings(ctx), how))


@app.command()
def prepare(
    ctx: typer.Context,
    data: Data = "simulated-gas-pipeline",
    label: Label = "",
    drop: Drop = "",
    recipe: Recipe = "",
    categorical: Categorical = "",
    infinities: Infinities = "",
    rare_classes: RareClasses = "error",
    rows: Rows = 0,
    seed: Seed = 0,
    out: Out = "table.parquet",
    csv_safe: CsvSafe = "false",
    debug: Debug = False,
) -> None:
    """Clean a table and write it with its data card."""
    from rareflow.workflows import prepare as workflow

    typer.echo(workflow.run(_source(ctx), out=out, csv_safe=_truth("--csv-safe", csv_safe)))


@app.command()
def augment(
    ctx: typer.Context,
    data: Data = "simulated-gas-pipeline",
    model: Model = "models:/rareflow-gas-pipeline@champion",
    label: Label = "",
    drop: Drop = "",
    recipe: Recipe = "",
    categorical: Categorical = "",
    infinities: Infinities = "",
    rare_classes: RareClasses = "error",
    rows: Rows = 0,
    seed: Seed = 0,
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
    out: Out = "balanced.parquet",
    csv_safe: CsvSafe = "false",
    launcher: Annotated[
        str, typer.Option(help="Who draws the forged rows: local, or dask for a Dask cluster's workers.")
    ] = "local",
    scheduler: Scheduler = "",
    debug: Debug = False,
) -> None:
    """Balance a training table with a registered generator."""
    from rareflow.workflows import augment as workflow

    wanted = _whole("--class-rows", class_rows) if class_rows else None
    typer.echo(
        workflow.run(
            _source(ctx, is_split=False),
            model=model,
            out=out,
            class_rows=wanted,
            mark=mark,
            seed=seed,
            csv_safe=_truth("--csv-safe", csv_safe),
            launcher=launcher,
            scheduler=scheduler,
        )
    )


@app.command()
def evaluate(
    ctx: typer.Context,
    data: Data = "simulated-gas-pipeline",
    test: Test = "",
    unseen_classes: UnseenClasses = "error",
    model: Annotated[
        str, typer.Option(help="Generator to balance the training part with, as for augment. Unset: none.")
    ] = "",
    label: Label = "",
    drop: Drop = "",
    recipe: Recipe = "",
    categorical: Categorical = "",
    infinities: Infinities = "",
    rare_classes: RareClasses = "error",
    rows: Rows = 0,
    sample_rows: SampleRows = 300_000,
    split: SplitKind = "random",
    test_size: TestSize = 0.3,
    seed: Seed = 0,
    experiment: Experiment = "rareflow",
    n_threads: NThreads = 1,
    debug: Debug = False,
) -> None:
    """Score the detectors on a test part, before and after augmentation."""
    from rareflow.workflows import evaluate as workflow

    typer.echo(workflow.run(_settings(ctx), model=model))


@app.command()
def sync(
    spool: Annotated[
        str, typer.Option(help="Folder that keeps what a tracking server that was away has not got.")
    ] = "rareflow-spool",
    debug: Debug = False,
) -> None:
    """Upload what was logged while the tracking server was away."""
    from rareflow.workflows import sync as workflow

    typer.echo(workflow.run(spool))


@app.command()
def doctor(storage: Storage = "", debug: Debug = False) -> None:
    """Tell versions, stores and device, what is missing and how to get it; exit code 2 where one fails."""
    from rareflow.workflows import doctor as workflow

    told = workflow.run(storage=_database(storage))
    typer.echo(told)
    if "\nFAIL" in told:
        raise typer.Exit(_BAD_INPUT)


def _database(storage: str) -> str:
    """Give the study's database; of an empty one, MLproject's, Typer does not ask the environment."""
    return storage or os.environ.get(_STORAGE) or "sqlite:///optuna.db"


def _value(err: Exception) -> str:
    """Give the value that Typer's own message about an option does not echo."""
    errors: Any = getattr(err.__cause__, "errors", None)
    return f", not {errors()[0]['input']!r}" if errors else ""


def _truth(option: str, text: str) -> bool:
    """Read true or false; MLproject can pass no flags."""
    if text.lower() not in {"true", "false"}:
        raise ConfigError(f"{option} {text!r} is neither true nor false")
    return text.lower() == "true"


def _whole(option: str, text: str) -> int:
    """Read a whole number of 0 or more; Typer's own refusal would not echo the value."""
    if not text.isdecimal():
        raise ConfigError(f"{option} {text!r} is no whole number of 0 or more, such as 700")
    return int(text)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process.

    With 0, 2 on what the user can mend, 3 where results wait in the spool, 130 if stopped, else 1.

    Every problem is one line on the standard error stream; ``--debug`` raises it instead.

    Parameters
    ----------
    arguments
        Words after the program's name; those of the process by default.
    """
    from rareflow.workflows.interruption import stoppable
    from rareflow.workflows.progress import listen

    words = sys.argv[1:] if arguments is None else arguments
    listen()
    try:
        with stoppable():
            # Typer gives the exit code of help and of Ctrl-C, and None where a command came to its end.
            _check_repeated(words)
            code = app(words or ["--help"], prog_name="rareflow", standalone_mode=False) or 0
    except Exception as err:  # a user reads one line, whatever went wrong
        code = _fail(err, is_raised="--debug" in words)
    if code == _INTERRUPTED:
        typer.echo("rareflow: stopped; what was finished is kept, and the same command continues", err=True)
    sys.exit(code)


def _check_repeated(words: Sequence[str]) -> None:
    """Refuse a list of columns in pieces, of which only the last would count, as of every option."""
    given = [word.partition("=")[0] for word in words]
    for option in ("--drop", "--categorical"):
        if given.count(option) > 1:
            raise ConfigError(f"{option} is given twice; give all columns at once, as in {option} a,b")


def _fail(err: Exception, *, is_raised: bool) -> int:
    """Say on one line what went wrong and give the exit code, or raise the error; a stop is said later."""
    if is_stop(err):
        return _INTERRUPTED
    code, message = _problem(err)
    if isinstance(err, SpooledError):
        typer.echo(err.result)
    shown = f"rareflow: {' '.join(message.split())}"
    if is_raised:
        shown = traceback.format_exc()
        if redacted(shown) == shown:
            raise err
    typer.echo(redacted(shown), err=True)
    return code


def _problem(err: Exception) -> tuple[int, str]:
    """Give the exit code and the message for an error."""
    if isinstance(err, RareflowError):
        return err.exit_code, str(err)
    if isinstance(err, _UsageError):
        command = err.ctx.command_path if err.ctx else "rareflow"
        return _BAD_INPUT, f"{err.format_message()}{_value(err)} (see {command} --help)"
    if isinstance(err, OSError) and err.errno in _UNWRITABLE:
        return _BAD_INPUT, (
            f"{err.filename or 'a file'} cannot be written ({err.strerror}); free or give another place to "
            "write, and run the same command again"
        )
    if lacks_memory(err):
        return _BAD_INPUT, (
            f"memory ran out ({err}); take fewer rows, smaller networks or fewer jobs, and run "
            "the same command again"
        )
    if _GONE.search(f"{getattr(err, 'error_code', '')} {err}"):
        return _BAD_INPUT, (
            f"something that the work needs is not in the tracking store any more ({err}); `mlflow runs "
            "restore` and `mlflow experiments restore` bring back what was deleted; then run the same "
            "command again (--debug shows where)"
        )
    return _FAILED, f"{type(err).__name__}: {err} (run again with --debug to see where)"
