"""Workers on a Dask cluster, which starts them and no more: each is a `rareflow worker` of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rareflow.errors import SpooledError, StoreError
from rareflow.workflows.cluster import connected, explained
from rareflow.workflows.progress import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from rareflow.workflows.studying.post import Post

__all__ = ["work_on_cluster"]

_POLL_S = 1.0
_PATIENCE_S = 30  # for a worker that is told to stop


@dataclass(frozen=True)
class _Order:
    """What a Dask worker is to start; Dask may log it, so it shows no secret."""

    storage: str = field(repr=False)
    study_name: str
    n_threads: int
    device: str
    stop: str


@dataclass(frozen=True)
class _Ended:
    """How a worker ended: where, with what exit code, and its last word."""

    host: str
    code: int
    said: str


def work_on_cluster(
    post: Post, *, scheduler: str, jobs: int, n_threads: int, device: str, done: Callable[[], int]
) -> None:
    """Start workers on a Dask cluster and wait until they end; whatever stops this process stops them.

    Parameters
    ----------
    post
        Where they work.
    scheduler
        The scheduler's address, such as ``tcp://host:8786``.
    jobs
        Workers, >= 1; those for which the cluster has no free thread start when there is one.
    n_threads, device
        Of each worker.
    done
        Counts the study's finished trials.

    Raises
    ------
    StoreError
        If no worker came to its end, or the cluster is lost.
    """
    import distributed  # noqa: PLC0415 - an extra

    with connected(scheduler) as client, client.as_current():
        order = _Order(post.storage, post.study_name, n_threads, device, f"rareflow-stop-{uuid.uuid4().hex}")
        with explained(scheduler):
            stop = distributed.Event(order.stop, client=client)
            futures = [client.submit(_serve, order, pure=False) for _ in range(jobs)]
        try:
            _follow(futures, done, post.n_trials)
        finally:
            # A cluster that is lost by now hides nothing that stopped this; else `gather` says it.
            with suppress(OSError, RuntimeError, CancelledError):  # the first holds TimeoutError too
                stop.set()
                distributed.wait(futures, timeout=2 * _PATIENCE_S)
        with explained(scheduler):
            ended = client.gather(futures)
    for each in ended:
        say(f"A worker on {each.host} ended with exit code {each.code}: {each.said}")
    if not any(each.code in {0, SpooledError.exit_code} for each in ended):
        raise StoreError(
            f"no worker on the Dask cluster {scheduler} came to its end; one on {ended[0].host} said: "
            f"{ended[0].said}"
        )


def _follow(futures: list[Any], done: Callable[[], int], n_trials: int) -> None:
    """Wait until all workers have ended, and tell how far the study is."""
    before = done()
    while not all(future.done() for future in futures):
        time.sleep(_POLL_S)
        if (now := done()) != before:
            say(f"{now} of {n_trials} trials done")
            before = now


def _serve(order: _Order) -> _Ended:
    """Run `rareflow worker` in a process of its own until it ends or is told to stop, and outlive it.

    Not in this thread of Dask's: signals, threads of torch and MLflow's store are the process's.
    """
    import distributed  # noqa: PLC0415 - an extra

    stop = distributed.Event(order.stop)
    if stop.is_set():  # it waited for a free thread till then
        return _Ended(platform.node(), 0, "it was told to stop before it began")
    words = ["worker", "--study-name", order.study_name, "--n-threads", str(order.n_threads)]
    words += ["--device", order.device]
    # In the environment, because everyone on that machine may read a command line.
    environment = {**os.environ, "RAREFLOW_STORAGE": order.storage}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "rareflow", *words], stdout=log, stderr=log, env=environment
        )
        try:
            while process.poll() is None and not stop.is_set():
                time.sleep(_POLL_S)
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        said = [line for line in log.read().splitlines() if line.strip()]
    return _Ended(platform.node(), process.returncode, said[-1] if said else "nothing")
