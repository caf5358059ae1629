"""The tracking store: which one is used, made once before any worker starts, refused early when unusable."""

from __future__ import annotations

import os
import re
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from rareflow.databases import make_whole, sqlite_file
from rareflow.errors import StoreError
from rareflow.redaction import ADDRESS_FORM, without_secrets
from rareflow.tracking.environment import quiet
from rareflow.tracking.outage import first_word

__all__ = [
    "current_uri",
    "is_missing",
    "open_existing_store",
    "prepare_registry",
    "prepare_store",
    "use_store",
]

_DATABASES = {"mssql", "mysql", "postgresql", "sqlite"}
_LOCAL = "or unset MLFLOW_TRACKING_URI to track in ./mlflow.db"


def prepare_store(experiment: str | None, *, uri: str | None = None) -> str:
    """Make the tracking store ready for this process and its workers, and select the experiment.

    Call it once, before workers start: processes that create the tables of one database at the same time
    break each other. It also quietens MLflow (see `rareflow.tracking.environment.quiet`).

    Parameters
    ----------
    experiment
        The experiment's name, made if it is new; ``None`` leaves the choice to MLflow. Under ``mlflow run``
        (``MLFLOW_RUN_ID`` is set) the run and its experiment exist already, and the name is not used.
    uri
        The store, any tracking URI of MLflow's. ``None`` takes the one MLflow was given
        (``MLFLOW_TRACKING_URI``), else the file ``mlflow.db`` in the current folder.

    Returns
    -------
    str
        The tracking URI, to hand to workers; it may hold a password.

    Raises
    ------
    StoreError
        If the store does not answer within seconds, refuses, or cannot be written.
    """
    quiet()
    uri = current_uri() if uri is None else uri
    with first_word():
        try:
            if _is_database(uri):
                _open_database(uri)
            mlflow.set_tracking_uri(uri)
            artifacts = _select(experiment)
        except ValueError as err:  # of an address, or of a variable of MLflow's that is to be a number
            secret = without_secrets(uri) != uri
            reason = "it cannot be read" if secret else str(err)
            raise StoreError(
                f"MLflow cannot use the address {without_secrets(uri)!r}, or a setting of its own "
                f"({reason}); mend MLFLOW_TRACKING_URI, or the variable that is named"
            ) from (None if secret else err)
        except (ImportError, MlflowException, OSError, SQLAlchemyError) as err:
            # The cause quotes the whole URI, so it is shown only where that holds no secret.
            secret = without_secrets(uri) != uri
            raise StoreError(_problem(uri, err)) from (None if secret else err)
    _check_artifacts(artifacts)
    return uri


def prepare_registry() -> None:
    """Ask a registry (``MLFLOW_REGISTRY_URI``) that is another store than the tracking one for a first word.

    Call it before `prepare_store`, where a model is to be registered hours later.

    Raises
    ------
    StoreError
        If it does not answer within seconds, or refuses.
    """
    quiet()
    uri = str(mlflow.get_registry_uri())
    if uri == mlflow.get_tracking_uri():
        return
    with first_word():
        try:
            if _is_database(uri):
                _open_database(uri)
            MlflowClient(uri, uri).search_registered_models(max_results=1)
        except (ImportError, MlflowException, OSError, SQLAlchemyError, ValueError) as err:
            where = without_secrets(uri)
            cause = type(err.__context__ or err).__name__
            raise StoreError(
                f"the model registry {where!r} does not answer or refuses ({cause}); start it, mend "
                "MLFLOW_REGISTRY_URI, or unset it to register in the tracking store"
            ) from (err if where == uri else None)


def use_store(uri: str) -> None:
    """Have a worker's process write to a store that its parent has prepared, even if it is away by now."""
    quiet()
    mlflow.set_tracking_uri(uri)


def open_existing_store() -> str:
    """Open the store that a model is read from; one that does not exist holds none and is not made.

    Raises
    ------
    StoreError
        If the store does not exist or cannot be opened.
    """
    uri = current_uri()
    if is_missing(uri):
        raise StoreError(
            f"there is no tracking store {uri!r}, so no model in it; run `rareflow tune` here first, change "
            "to the folder where it ran, or set MLFLOW_TRACKING_URI"
        )
    return prepare_store(None, uri=uri)


def current_uri() -> str:
    """Give the store that MLflow was given (``MLFLOW_TRACKING_URI``), else ``mlflow.db`` in this folder."""
    return str(mlflow.get_tracking_uri()) if mlflow.tracking.is_tracking_uri_set() else _default_uri()


def is_missing(uri: str) -> bool:
    """Say whether a database's URI names an SQLite file that does not exist."""
    file = sqlite_file(uri)
    return bool(file) and not Path(file).exists()


def _default_uri() -> str:
    """Name ``mlflow.db`` in the current folder by its absolute path: a worker may run in another folder."""
    return str(URL.create("sqlite", database=Path("mlflow.db").absolute().as_posix()))


def _is_database(uri: str) -> bool:
    return re.split(r"[+:]", uri, maxsplit=1)[0] in _DATABASES


def _open_database(uri: str) -> None:
    """Connect once and, in SQLite, take the write lock: MLflow would retry for 100 s and then say less."""
    try:
        url = make_url(uri)
    except ValueError:
        # The cause quotes a part of the address that may be half a password.
        raise StoreError(
            f"the tracking database {without_secrets(uri)!r} has an address that cannot be read; write it "
            f"as {ADDRESS_FORM}"
        ) from None
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        make_whole(uri, lambda scratch: MlflowClient(scratch).search_experiments(max_results=1))
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            if sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        engine.dispose()


def _select(experiment: str | None) -> str | None:
    """Make the tables, select the experiment, and give the place of its artifacts if it is known yet."""
    client = MlflowClient()
    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        info = client.get_run(run_id).info
        if info.lifecycle_stage == "deleted":
            raise StoreError(
                f"MLFLOW_RUN_ID={run_id!r} names a deleted run; unset it, or restore the run with `mlflow "
                f"runs restore --run-id {run_id}`"
            )
        return str(info.artifact_uri)
    if experiment is None:
        client.search_experiments(max_results=1)
        return None
    known = client.get_experiment_by_name(experiment)
    if known is not None and known.lifecycle_stage == "deleted":
        raise StoreError(
            f"experiment {experiment!r} is deleted; restore it with `mlflow experiments restore "
            f"--experiment-id {known.experiment_id}`, or name another one with --experiment"
        )
    if known is None and _is_database(str(mlflow.get_tracking_uri())):
        # Where it would have its artifacts for good.
        _check_artifacts(str(Path("mlruns").absolute()), "run in a folder of your own")
    return str(mlflow.set_experiment(experiment).artifact_location)


def _check_artifacts(location: str | None, remedy: str = "mend that") -> None:
    """Refuse a local artifact folder that cannot be written before hours of work end there."""
    if location is None or not is_local_uri(location):
        return
    folder = Path(local_file_uri_to_path(location))
    message = (
        f"the artifact folder {str(folder)!r} cannot be written; {remedy}, or name another experiment with "
        "--experiment"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StoreError(message) from err
    if not os.access(folder, os.W_OK):
        raise StoreError(message)


def _problem(uri: str, err: Exception) -> str:
    """Say in one line what is wrong with the store and what mends it."""
    where = without_secrets(uri)
    if isinstance(err, ImportError):
        return f"the tracking store {where!r} needs the Python package {err.name!r}; install it, {_LOCAL}"
    if isinstance(err, SQLAlchemyError | OSError):
        reason = str(getattr(err, "orig", None) or err).partition("\n")[0]
        return f"the tracking database {where!r} cannot be opened for writing ({reason}); mend that, {_LOCAL}"
    if getattr(err, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
        run_id = os.environ.get("MLFLOW_RUN_ID")
        return (
            f"MLFLOW_RUN_ID={run_id!r} names no run in {where!r}; "
            "unset it, or set MLFLOW_TRACKING_URI to the store that holds it"
        )
    if not uri.startswith(("http:", "https:")):
        reason = str(err).strip().replace(uri, where).partition(". ")[0]
        return f"the tracking store {where!r} cannot be used ({reason}); take sqlite:///mlflow.db, {_LOCAL}"
    if isinstance(err.__context__, OSError):
        cause = type(err.__context__).__name__
        return f"the tracking server {where!r} does not answer ({cause}); start it, {_LOCAL}"
    return (
        f"the tracking server {where!r} refuses the first request ({getattr(err, 'error_code', err)}); "
        f"check the address, MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, {_LOCAL}"
    )
