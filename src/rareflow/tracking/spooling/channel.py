"""Where one run is written: its store, and if that is a server that goes away, from then on the spool."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from rareflow.errors import StoreError
from rareflow.redaction import without_secrets
from rareflow.tracking.outage import ServerAwayError, ask
from rareflow.tracking.spooling.spool import RUN_TAG, SERVER_TAG, SPOOL, Spool, SpooledRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Channel"]

Answer = TypeVar("Answer")

_LOGGER = logging.getLogger(__name__)


class Channel:
    """The one way to a run, by which no call is lost.

    Parameters
    ----------
    uri
        The store.
    run_id
        The run; ``None`` if the store was away when it was to be made: it is then made in the spool.
    name, start_time, tags
        What the run was made with, or is to be; ``start_time`` in ms since 1970.
    """

    def __init__(
        self, uri: str, run_id: str | None, *, name: str, start_time: int, tags: Mapping[str, str]
    ) -> None:
        self._uri, self._client = uri, MlflowClient(uri)
        self._name, self._start_time, self._tags = name, start_time, tags
        self._server_id = run_id
        self._spooled: SpooledRun | None = None
        self.run_id: str = self.spooled().run_id if run_id is None else run_id

    @property
    def is_spooled(self) -> bool:
        """Whether the run goes on in the spool."""
        return self._spooled is not None

    def call(self, call: Callable[[MlflowClient, str], Answer]) -> Answer:
        """Give what a call gives: of the store, or of the spool if the store does not answer it."""
        if self._spooled is None:
            try:
                return ask(self._uri, lambda: call(self._client, str(self._server_id)))
            except ServerAwayError:
                pass
        place = self.spooled()
        return call(place.client, place.run_id)

    def end(self, status: str) -> None:
        """End the run in this state, and leave its place in the spool."""
        try:
            self.call(lambda client, run_id: client.set_terminated(run_id, status))
        finally:
            if self._spooled is not None:
                self._spooled.close()

    def spooled(self) -> SpooledRun:
        """Give the run's place in the spool; from then on every call goes there."""
        if self._spooled is None:
            self._spooled = self._spool()
        return self._spooled

    def _spool(self) -> SpooledRun:
        server, spool = without_secrets(self._uri), Spool(Path(SPOOL))
        tags = {**self._tags, SERVER_TAG: server}
        if self._server_id is not None:
            tags[RUN_TAG] = self._server_id
        try:
            made = SpooledRun(spool, self._name, self._start_time, tags)
        except (MlflowException, OSError, SQLAlchemyError) as err:
            raise StoreError(
                f"the tracking server {server!r} does not answer, and {str(spool.folder)!r}, where run "
                f"{self._name} would go on, cannot be written ({str(err).partition(chr(10))[0]}): what the "
                "run has not told the server yet is lost; free that place, or run the same command in a "
                "folder that you may write"
            ) from err
        _LOGGER.warning(
            "The tracking server %s does not answer: run %s goes on in %s, which `rareflow sync` uploads",
            server,
            self._name,
            SPOOL,
        )
        return made
