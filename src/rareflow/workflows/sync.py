"""`rareflow sync`: upload what was logged while the tracking server was away."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rareflow.errors import StoreError
from rareflow.redaction import without_secrets
from rareflow.tracking.outage import ask
from rareflow.tracking.spooling.spool import SERVER_TAG, Spool
from rareflow.tracking.store import current_uri, prepare_store
from rareflow.tracking.upload import remove, upload, uploaded_models
from rareflow.workflows.outcome import augment_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow.entities import Run

__all__ = ["run"]


def run(folder: str) -> str:
    """Upload a spool and remove it; cut off, the same command goes on, and nothing comes twice.

    Parameters
    ----------
    folder
        The spool.

    Returns
    -------
    str
        How many runs were uploaded and how to use their generators, for the screen.

    Raises
    ------
    StoreError
        If there is no spool, it is in use, or the server does not answer or is another one.
    """
    spool = Spool(Path(folder))
    if not spool.exists():
        raise StoreError(
            f"there is no spool {folder!r}, so nothing to upload; change to the folder where the command ran "
            "that spoke of it, or name it with --spool"
        )
    try:
        lock = spool.seize()
    except BlockingIOError as err:
        raise StoreError(
            f"the spool {folder!r} is in use; run `rareflow sync` when the command that uses it has ended"
        ) from err
    try:
        return _upload(spool, folder)
    finally:
        os.close(lock)


def _upload(spool: Spool, folder: str) -> str:
    is_set = mlflow.tracking.is_tracking_uri_set()
    runs = _runs(spool, folder)
    if not runs:  # a sync was cut off when all was uploaded
        return _removed(spool, f"All runs were uploaded before; {folder} is removed.", is_set=is_set)
    uri = prepare_store(None, uri=_server(runs, folder))
    server = MlflowClient(uri)
    uploaded = ask(uri, lambda: upload(spool, server))
    if uploaded.strangers:
        raise StoreError(
            f"{without_secrets(uri)!r} does not hold the runs that {folder!r} still has something of "
            f"(others that are uploaded: {uploaded.runs}); set MLFLOW_TRACKING_URI to "
            f"{uploaded.strangers[0]!r}"
        )
    counted = "1 run" if uploaded.runs == 1 else f"{uploaded.runs} runs"
    told = f"Uploaded {counted} to {without_secrets(uri)}; {folder} is removed."
    return _removed(spool, told, is_set=is_set)


def _removed(spool: Spool, text: str, *, is_set: bool) -> str:
    """Remove a spool of which all is uploaded, and add to a text how to use the generators that it held.

    Where MLflow was told no store here, the commands name it.
    """
    uses = [
        f"Balance a table with the generator of {name!r}:  "
        f"{'' if is_set else f'MLFLOW_TRACKING_URI={server} '}{augment_command(uri)}"
        for name, uri, server in uploaded_models(spool)
    ]
    remove(spool)
    return "\n".join([text, *uses])


def _runs(spool: Spool, folder: str) -> list[Run]:
    """Give the runs that are to be uploaded, or say that the spool is none."""
    try:
        spool.check()
        return spool.runs(spool.client())
    except (sqlite3.DatabaseError, MlflowException) as err:
        reason = str(err).partition("\n")[0]
        raise StoreError(
            f"the spool {folder!r} cannot be read ({reason}); give with --spool the folder that the command "
            "spoke of, as it left it"
        ) from err


def _server(runs: Sequence[Run], folder: str) -> str:
    """Give the store that MLflow was told here, else the one that went away."""
    if mlflow.tracking.is_tracking_uri_set():
        return current_uri()
    told = {str(run.data.tags[SERVER_TAG]) for run in runs}
    if len(told) != 1 or "***" in (uri := min(told)):
        raise StoreError(
            f"the spool {folder!r} is for {' and '.join(sorted(told))}; set "
            "MLFLOW_TRACKING_URI to its address"
        )
    return uri
