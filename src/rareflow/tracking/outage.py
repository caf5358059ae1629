"""A tracking server that does not answer: told from one that refuses, and waited for once."""

from __future__ import annotations

from contextlib import nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import mlflow
import requests
from mlflow.exceptions import MlflowException

from rareflow.errors import StoreError
from rareflow.redaction import without_secrets
from rareflow.tracking.environment import variables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

__all__ = ["ServerAwayError", "ask", "first_word"]

Answer = TypeVar("Answer")

# MLflow's own are 7 retries of up to 120 s each: right inside a study, far too long for the first word.
_FIRST_WORD = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
# `RetryError` is what a 5xx, 408 or 429 comes to after the retries.
_SILENCE = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.RetryError,
    requests.exceptions.ChunkedEncodingError,
)
# Servers that did not answer this process when it asked them last; a registry's silence is no other server's.
_silent: set[str] = set()


class ServerAwayError(StoreError):
    """A tracking server, or a registry, that does not answer, or answers 5xx, after MLflow's own retries.

    Parameters
    ----------
    uri
        The server; the message does not show its secrets.
    cause
        What went wrong, in a word.
    """

    def __init__(self, uri: str, cause: str) -> None:
        super().__init__(
            f"the server {without_secrets(uri)!r} does not answer any more ({cause}); when it does, "
            "run the same command again"
        )
        self.uri = uri


def first_word() -> AbstractContextManager[None]:
    """Ask the server once and wait shortly; a retry or a timeout that the user set is kept."""
    return variables(_FIRST_WORD)


def ask(uri: str, call: Callable[[], Answer]) -> Answer:
    """Give what a call of a store gives.

    MLflow retries by itself, for about four minutes by its defaults. Where the server did not answer this
    process the last time, it is asked once and shortly: an outage is waited for once, not at every call.

    Parameters
    ----------
    uri
        The store that is called; the call may go to the model registry too, which can be another server
        (``MLFLOW_REGISTRY_URI``).
    call
        Calls it. It may be broken off after the store has done what it was to do.

    Raises
    ------
    ServerAwayError
        If one of them is a server and does not answer, with its address; what it answers, a refusal too,
        passes.
    """
    stores = dict.fromkeys((uri, str(mlflow.get_registry_uri())))
    servers = [store for store in stores if store.startswith(("http:", "https:"))]
    if not servers:
        return call()
    try:
        with first_word() if uri in _silent else nullcontext():
            answer = call()
    except (MlflowException, requests.RequestException) as err:
        cause = _silence(err)
        if cause is None:
            raise
        away = _addressee(cause, servers)
        if away is None:
            raise
        _silent.add(away)
        # The cause may quote the whole address.
        raise ServerAwayError(away, _name(cause)) from (err if without_secrets(away) == away else None)
    except KeyboardInterrupt:
        _silent.add(uri)  # perhaps it was being waited for: who is told to stop does not wait again
        raise
    _silent.discard(uri)
    return answer


def _silence(err: BaseException | None) -> requests.RequestException | None:
    """Give the broken connection or the gateway's answer that an error came of, if it came of one."""
    while err is not None:
        if isinstance(err, _SILENCE):
            return err
        if isinstance(err, requests.HTTPError) and err.response is not None:
            return err if err.response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else None
        err = err.__cause__ or err.__context__
    return None


def _name(silence: requests.RequestException) -> str:
    if isinstance(silence, requests.HTTPError) and silence.response is not None:
        return f"HTTP {silence.response.status_code}"
    return type(silence).__name__


def _addressee(silence: requests.RequestException, servers: Sequence[str]) -> str | None:
    """Give the server that was asked; the first where it is not said, ``None`` if it was none of them."""
    url = getattr(silence.request, "url", None)
    if url is None:
        return servers[0]
    return next((server for server in servers if _host(server) == _host(url)), None)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()  # requests sends a host in lower case
