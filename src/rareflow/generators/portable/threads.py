"""Threads: so many as are given, each with a task of its own, and none within BLAS."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

__all__ = ["in_threads"]

_MAX_THREADS = 8  # each holds a batch in memory

T = TypeVar("T")


def in_threads(tasks: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Do tasks side by side, give what they give in order; only a few are begun before theirs is taken."""
    workers = _threads()
    ahead: deque[Future[T]] = deque()
    with _one_blas_thread(), ThreadPoolExecutor(workers) as pool:
        for task in tasks:
            ahead.append(pool.submit(task))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _threads() -> int:
    """Give the number of threads to use: ``OMP_NUM_THREADS`` if it is set, else one a processor core."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(int(wanted) if wanted.isdecimal() else os.cpu_count() or 1, _MAX_THREADS) or 1


class _Blas:
    """BLAS's threads, which all of a process share: how many hold them to one, and what they were before."""

    lock = threading.RLock()  # again from its own thread, where an abandoned iterator is closed meanwhile
    users = 0
    before: threadpool_limits


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread until the last user is done: threads that wait for BLAS's own are slower."""
    with _Blas.lock:
        if not _Blas.users:
            _Blas.before = threadpool_limits(1, "blas")
        _Blas.users += 1
    try:
        yield
    finally:
        with _Blas.lock:
            _Blas.users -= 1
            if not _Blas.users:
                _Blas.before.restore_original_limits()
