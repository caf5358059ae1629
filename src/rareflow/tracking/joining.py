"""The tracking store that another process has opened, perhaps on another machine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rareflow.errors import StoreError
from rareflow.redaction import without_secrets
from rareflow.tracking.store import current_uri, is_missing, prepare_store

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["join_store", "visit_store"]


def join_store(told: str, run_id: str) -> str:
    """Open the store of a run, and give its URI: what ``MLFLOW_TRACKING_URI`` says here, else what was told.

    Parameters
    ----------
    told
        The store's URI as the run's own process has it, `without_secrets`.
    run_id
        The run, which exists there.

    Raises
    ------
    StoreError
        If the store cannot be reached from here or does not hold the run.
    """
    uri = _own_or(told)
    prepare_store(None, uri=uri)
    try:
        MlflowClient(uri).get_run(run_id)
    except MlflowException as err:
        raise StoreError(
            f"the tracking store {without_secrets(uri)!r} does not hold the study's run {run_id}, which is "
            f"in {told!r}; set MLFLOW_TRACKING_URI to that"
        ) from (err if without_secrets(uri) == uri else None)
    return uri


@contextmanager
def visit_store(told: str) -> Iterator[None]:
    """Use the store that `join_store` would choose for a while, in a process that is not ours alone.

    Parameters
    ----------
    told
        As in `join_store`.

    Raises
    ------
    StoreError
        If the store cannot be reached from here.
    """
    # MLflow keeps what it is told for the whole process, and the next visitor would take it for this host's.
    before = mlflow.get_tracking_uri() if mlflow.tracking.is_tracking_uri_set() else None
    try:
        prepare_store(None, uri=_own_or(told))
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _own_or(told: str) -> str:
    """Give the store that this machine's user set, else the one that was told."""
    return current_uri() if mlflow.tracking.is_tracking_uri_set() else _usable(told)


def _usable(told: str) -> str:
    """Refuse an address that lacks its secrets, and a file that is not here."""
    if "***" in told:
        raise StoreError(
            f"the work is tracked in {told!r}, whose secrets it does not tell; set MLFLOW_TRACKING_URI to it"
        )
    if is_missing(told):
        raise StoreError(
            f"the work is tracked in {told!r}, a file that is not on this machine; track it in an `mlflow "
            "server` that all machines reach, and set MLFLOW_TRACKING_URI to that where it was begun"
        )
    return told
