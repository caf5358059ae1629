"""Dask clusters that a test starts for itself in the current folder."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.workflows.servers import free_port


@contextmanager
def dask(*words, **environment):
    """Run a part of Dask, which starts processes of its own."""
    command = [sys.executable, "-m", "dask", *map(str, words), "--no-dashboard"]
    with Path(f"{words[0]}.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=os.environ | environment
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # a test may have killed it
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@contextmanager
def dask_scheduler(**environment):
    """Start a scheduler and give its address."""
    port = free_port()
    with dask("scheduler", "--host", "127.0.0.1", "--port", port, **environment):
        yield f"tcp://127.0.0.1:{port}"


def dask_workers(address, count, **environment):
    """Start so many worker processes of one thread, and give the process that watches them."""
    processes = ("--nworkers", count, "--nthreads", 1, "--local-directory", Path.cwd() / "dask")
    return dask("worker", address, *processes, **environment)


@contextmanager
def dask_cluster(workers):
    """Start a scheduler and its workers and give the scheduler's address."""
    with dask_scheduler() as address, dask_workers(address, workers):
        yield address
