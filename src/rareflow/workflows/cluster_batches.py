"""Forged rows in batches from a Dask cluster, whose workers load a generator and draw parts of a request."""

from __future__ import annotations

import platform
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from rareflow.errors import ConfigError, StoreError
from rareflow.redaction import redacted, without_secrets
from rareflow.tracking.joining import visit_store
from rareflow.tracking.loading import load_generator
from rareflow.workflows.cluster import connected, explained, strange
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd

    from rareflow.generators.portable import PortableGenerator
    from rareflow.tracking.loading import Loaded

__all__ = ["batches_on_cluster"]

_AHEAD = 2  # parts a thread of the cluster that are begun before they are taken: one is drawn, one waits
_LOADING = threading.Lock()


@dataclass(frozen=True)
class _Source:
    """Where a Dask worker finds the generator; Dask may log it, so it holds no secret.

    Parameters
    ----------
    tracking
        The tracking store, `without_secrets`.
    model
        URI of exactly one model.
    sha256
        The digest of its files, so that another store's model of the same name is none.
    """

    tracking: str
    model: str
    sha256: str


@contextmanager
def batches_on_cluster(
    loaded: Loaded, *, uri: str, scheduler: str
) -> Iterator[Callable[..., Iterator[pd.DataFrame]]]:
    """Give what stands for the generator's own `batches`: the same frames in the same order, from a cluster.

    Only a few parts a thread are asked for before theirs is taken. What is not taken at the end, the cluster
    drops; what a worker that died was in, another one draws.

    Parameters
    ----------
    loaded
        The generator.
    uri
        The tracking store that it is from; a worker's own ``MLFLOW_TRACKING_URI`` counts more there.
    scheduler
        The scheduler's address, such as ``tcp://host:8786``.

    Raises
    ------
    ConfigError
        As `rareflow.workflows.cluster.check_scheduler` does, and if the generator is none to share out.
    StoreError
        If a worker cannot load the generator, or the cluster is lost; as the frames are asked for.
    """
    if not hasattr(loaded.generator, "parts"):
        raise ConfigError(
            f"--launcher dask cannot share out {loaded.uri!r}, which an older version of rareflow made; "
            "give --launcher local, or train it again"
        )
    source = _Source(without_secrets(uri), loaded.uri, loaded.sha256)
    with connected(scheduler) as client:

        def batches(wanted: pd.DataFrame, *, seed: int) -> Iterator[pd.DataFrame]:
            parts = loaded.generator.parts(wanted, seed=seed)
            with explained(scheduler):
                if not _threads(client):
                    say(f"The Dask cluster {scheduler} has no worker yet; waiting for one")
                    client.wait_for_workers(1)
                _check_workers(client)
                threads = _threads(client)
                counted = "1 thread" if threads == 1 else f"{threads} threads"
                say(f"The Dask cluster {scheduler} has {counted} to draw with")
                yield from _drawn(client, source, parts)

        yield batches


def _check_workers(client: Any) -> None:  # noqa: ANN401 - Dask is an extra
    """Refuse workers that cannot read a task: Dask itself would wait for them for ever."""
    for worker, answer in client.run(_hello, on_error="return").items():
        if isinstance(answer, Exception) and not isinstance(answer, OSError):  # not one that just left
            raise strange(f"worker {worker}", answer)


def _drawn(client: Any, source: _Source, parts: Iterable[Mapping[str, Any]]) -> Iterator[pd.DataFrame]:  # noqa: ANN401 - Dask is an extra
    """Have parts drawn, and give their frames in order."""
    ahead: deque[Any] = deque()
    for part in parts:
        while len(ahead) >= _AHEAD * max(_threads(client), 1):
            yield ahead.popleft().result()
        ahead.append(client.submit(_draw, source, part, pure=False))
    while ahead:
        yield ahead.popleft().result()


def _threads(client: Any) -> int:  # noqa: ANN401 - Dask is an extra
    """Count the threads of the cluster, which grows and shrinks."""
    return sum(client.nthreads().values())


def _hello() -> None:
    """Answer that this module is here."""


def _draw(source: _Source, part: Mapping[str, Any]) -> pd.DataFrame:
    """Draw a part in a Dask worker."""
    with _LOADING:
        generator = _generator(source)
    return generator.draw_part(part)


@lru_cache(maxsize=4)
def _generator(source: _Source) -> PortableGenerator:
    """Load the generator, once a process."""
    # Dask's threads that each wait for BLAS's own are slower than one, as in `PortableGenerator.batches`.
    threadpool_limits(1, "blas")
    try:
        with visit_store(source.tracking):
            return load_generator(source.model, sha256=source.sha256).generator
    except (StoreError, ImportError) as err:
        raise StoreError(
            redacted(f"the Dask worker on {platform.node()} cannot load the generator: {err}")
        ) from None
