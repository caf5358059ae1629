"""Which process this is, and whether another one is gone."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["here", "is_gone"]


_NAMESPACE = Path("/proc/self/ns/pid")
_FIRST_NAMESPACE = 0xEFFFFFFC  # Linux's own number for it


def here() -> tuple[str, int]:
    """Give this host's name and the number of this process on it.

    Containers may share their host's name, and number processes each from 1: there the name has the number
    of the container's namespace behind it, as in ``head:4026532281``.
    """
    with suppress(OSError):
        if (namespace := _NAMESPACE.stat().st_ino) != _FIRST_NAMESPACE:
            return f"{platform.node()}:{namespace}", os.getpid()
    return platform.node(), os.getpid()


def is_gone(host: str, number: int) -> bool:
    """Say whether a process of this host is over for certain; of another host's nothing is known.

    A process that ended and that its parent has not asked after yet is over too.
    """
    if host != here()[0]:
        return False
    try:
        return bool(psutil.Process(number).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
