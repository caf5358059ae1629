"""Which process this is, and whether another one is gone."""

from __future__ import annotations

import os
import platform

import psutil

__all__ = ["here", "is_gone"]


def here() -> tuple[str, int]:
    """Give this host's name and the number of this process on it."""
    return platform.node(), os.getpid()


def is_gone(host: str, number: int) -> bool:
    """Say whether a process of this host is over for certain; of another host's nothing is known.

    A process that ended and that its parent has not asked after yet is over too.
    """
    if host != platform.node():
        return False
    try:
        return bool(psutil.Process(number).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
