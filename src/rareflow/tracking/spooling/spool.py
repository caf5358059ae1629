"""The spool: an MLflow store in the current folder that keeps what a server that is away cannot take.

``rareflow-spool/mlflow.db`` holds a run for each run that went on here, with all that it logged since.
`mlflow ui --backend-store-uri sqlite:///rareflow-spool/mlflow.db` shows it, `upload` takes it to the server.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy import URL

from rareflow.databases import make_whole
from rareflow.tracking.environment import variables
from rareflow.tracking.searching import every_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities import Run

__all__ = ["MODEL_TAG", "RUN_TAG", "SERVER_TAG", "SPOOL", "Spool", "SpooledRun", "spooled_runs"]

SPOOL = "rareflow-spool"  # in the current folder
# The server's run that a spooled run is the rest of, if the server has one; the server; a generator to log.
RUN_TAG, SERVER_TAG, MODEL_TAG = "rareflow.spool.run", "rareflow.spool.server", "rareflow.spool.model"
_EXPERIMENT = "rareflow-spool"
_POOL = "MLFLOW_SQLALCHEMYSTORE_POOLCLASS"


class Spool:
    """A spool's folder.

    Whoever writes a run into it shares a lock on it until the run has ended; who uploads it has the lock
    alone. The system frees the lock of a process that dies.

    Parameters
    ----------
    folder
        Where it is; `client` makes it if it is new.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._database = self.folder / "mlflow.db"

    def exists(self) -> bool:
        """Say whether there is one."""
        return self._database.exists()

    def check(self) -> None:
        """Read the database: one that is none MLflow would try again for minutes.

        Raises
        ------
        sqlite3.DatabaseError
            If it cannot be read.
        """
        with closing(sqlite3.connect(self._database)) as database:
            database.execute("SELECT name FROM sqlite_master")

    def client(self) -> MlflowClient:
        """Give a client of the store, made if it is new; hold the lock."""
        uri = str(URL.create("sqlite", database=self._database.as_posix()))
        # A connection that is kept open would write to a database that an upload has removed since.
        with variables({_POOL: "NullPool"}):
            make_whole(uri, self._make)
            return MlflowClient(uri)

    def _make(self, uri: str) -> None:
        MlflowClient(uri).create_experiment(_EXPERIMENT, (self.folder / "artifacts").as_uri())

    def artifacts(self, run_id: str) -> Path:
        """Name the folder of a run's artifacts, also where the spool was moved."""
        return self.folder / "artifacts" / run_id / "artifacts"

    def model(self, run_id: str) -> Path:
        """Name the folder of a generator that is to become a run's logged model."""
        return self.folder / "artifacts" / run_id / "model"

    def runs(self, client: MlflowClient) -> list[Run]:
        """Give the runs that are to be uploaded, the earliest first."""
        experiment = client.get_experiment_by_name(_EXPERIMENT).experiment_id
        return every_run(client, [experiment])

    def share(self) -> int:
        """Take the lock beside others who write, once no upload has it; `os.close` gives it back."""
        return self._lock(fcntl.LOCK_SH)

    def seize(self) -> int:
        """Take the lock alone; `os.close` gives it back.

        Raises
        ------
        BlockingIOError
            If somebody writes, or uploads.
        """
        return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock(self, kind: int) -> int:
        file = self.folder / "lock"
        while True:
            self.folder.mkdir(exist_ok=True)
            # An upload may remove folder and file at any moment until the lock is ours.
            with suppress(FileNotFoundError):
                handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    fcntl.flock(handle, kind)
                    if os.fstat(handle).st_ino == file.stat().st_ino:
                        return handle
                except BaseException:
                    os.close(handle)
                    raise
                os.close(handle)


class SpooledRun:
    """A run's place in the spool, which it holds until it is closed.

    Parameters
    ----------
    spool
        The spool.
    name, start_time, tags
        The run's; ``start_time`` in ms since 1970.
    """

    def __init__(self, spool: Spool, name: str, start_time: int, tags: Mapping[str, str]) -> None:
        self.spool = spool
        self._lock = spool.share()
        try:
            self.client = spool.client()
            experiment = self.client.get_experiment_by_name(_EXPERIMENT).experiment_id
            made = self.client.create_run(experiment, start_time=start_time, tags=dict(tags), run_name=name)
        except BaseException:
            os.close(self._lock)
            raise
        self.run_id = str(made.info.run_id)

    def close(self) -> None:
        """Free the place: what stands in it may be uploaded."""
        os.close(self._lock)


def spooled_runs(run_id: str) -> list[Run]:
    """Give the runs that the spool of the current folder holds of a run and its children."""
    spool = Spool(Path(SPOOL))
    if not spool.exists():
        return []
    found = spool.runs(spool.client())
    return [
        run
        for run in found
        if run_id in (run.data.tags.get(RUN_TAG), run.data.tags.get(MLFLOW_PARENT_RUN_ID))
    ]
