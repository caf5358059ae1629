"""The study's storage: a database that processes of any machine open, with heartbeats and honest refusals."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from rareflow.databases import make_whole, sqlite_file
from rareflow.errors import StoreError
from rareflow.redaction import ADDRESS_FORM
from rareflow.tuning.marks import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

__all__ = ["experimental", "open_storage", "queue_anew", "refusals"]

_HEARTBEAT_S, _GRACE_S, _RETRIES = 30, 120, 3
_FILE = {"connect_args": {"timeout": 60}}  # seconds that a process waits while another one writes
_SERVER = {"pool_pre_ping": True}  # a worker is silent while it trains, and what lies between may hang up
# PostgreSQL whose host or network is gone is waited for no longer at a call, and not for hours: a stop makes
# some calls, and waits for the thread that sends the heartbeats. In seconds, but for the last.
_POSTGRESQL = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "tcp_user_timeout": 60_000,
}
_LIBPQ = {"psycopg", "psycopg2"}  # the drivers that know these words
_UNUSABLE = (SQLAlchemyError, StorageInternalError, ImportError, OSError, RuntimeError)


class _Storage(optuna.storages.RDBStorage):
    """Optuna's storage, whose heartbeats go on after one has failed."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Record that a trial's process lives, if the database is there; if not, the next heartbeat may.

        Optuna's thread would end at the first failure, and other processes would take a trial that goes on
        for dead because the database restarted once. A trial's own calls say what is wrong with it.
        """
        with suppress(*_UNUSABLE):
            super().record_heartbeat(trial_id)


@contextmanager
def experimental() -> Iterator[None]:
    """Use what Optuna calls experimental without its warning: groups, recovery, PNG plots need it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def open_storage(storage: str) -> optuna.storages.RDBStorage:
    """Open Optuna's database with heartbeats.

    Parameters
    ----------
    storage
        SQLAlchemy URL of Optuna's own database.

    Raises
    ------
    StoreError
        If the storage cannot be opened or written; its password is not shown.
    """
    with refusals(storage), experimental():
        make_whole(storage, _make_tables)
        return _Storage(
            storage,
            engine_kwargs=_FILE if sqlite_file(storage) else _server(make_url(storage)),
            heartbeat_interval=_HEARTBEAT_S,
            grace_period=_GRACE_S,
            heartbeat_stale_trial_callback=queue_anew,
        )


def _server(url: URL) -> dict[str, Any]:
    """Give the engine's arguments for a server; what the address says of its own waits holds."""
    if url.get_driver_name() not in _LIBPQ:
        return _SERVER
    return _SERVER | {
        "connect_args": {key: _POSTGRESQL[key] for key in _POSTGRESQL.keys() - url.query.keys()}
    }


def _make_tables(storage: str) -> None:
    """Make Optuna's tables in a database that nobody else knows yet."""
    made = optuna.storages.RDBStorage(storage)
    made.remove_session()
    made.engine.dispose()


def queue_anew(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """Queue a failed trial once more, with what it had drawn and without its owner; three times at most."""
    trial.user_attrs.pop(OWNER, None)
    with experimental():
        optuna.storages.RetryHeartbeatStaleTrialCallback(_RETRIES)(study, trial)


@contextmanager
def refusals(storage: str, unusable: tuple[type[Exception], ...] = _UNUSABLE) -> Iterator[None]:
    """Say in one line why a database is refused, without its password.

    Parameters
    ----------
    storage
        The address that the user gave.
    unusable
        The exceptions that speak of the database.
    """
    shown = _shown(storage)
    try:
        yield
    except unusable as err:
        # A cause may quote the address, so it is kept only where that holds no secret.
        raise StoreError(
            f"the study's storage {shown!r} {_problem(err)}, or give another --storage such as sqlite:///optuna.db"
        ) from (err if shown == storage else None)


def _shown(storage: str) -> str:
    """Give the address fit for the screen: no password, no query."""
    try:
        url = make_url(storage)
    except (SQLAlchemyError, ValueError):  # a ValueError is about the port; both may quote half a password
        raise StoreError(
            f"--storage is no database's address; write it as sqlite:///optuna.db or {ADDRESS_FORM}"
        ) from None
    shown = url.set(query={}).render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise StoreError(
            f"--storage {shown!r} would keep the study in memory, where no other process sees it and none "
            "can resume it; give a file such as sqlite:///optuna.db"
        )
    return shown


def _problem(err: Exception) -> str:
    """Say what is wrong with the storage and what mends it."""
    if isinstance(err, ImportError):
        missing = getattr(err.__cause__, "name", None) or err.name
        return f"needs the Python package {missing!r}; install it"
    if isinstance(err, RuntimeError):
        return (
            f"is a database of another program, or of another Optuna than {optuna.__version__}; "
            "run `optuna storage upgrade` on it"
        )
    if isinstance(err, StorageInternalError):  # Optuna's word for any refused commit
        err = err.__cause__ if isinstance(err.__cause__, SQLAlchemyError) else err
    reason = str(getattr(err, "orig", None) or err).partition("\n")[0]
    return f"cannot be used ({reason}); see that its folder exists and can be written, or its server is up"
