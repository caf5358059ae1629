"""Which process this is, and whether another one is gone."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["here", "is_gone"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SELF = Path("/proc/self")
_NAMESPACE = Path("/proc/self/ns/pid")


def here() -> tuple[str, int, str]:
    """Give this host's name, the number of this process on it, and its birth, which tells it from all others.

    The birth is the boot of the machine, the container (its namespace of process numbers) and the clock tick
    since the boot, as in ``33288879-ab7d-4a17-86ad-c2ae735ee93f 4026531836 6576926``. It is empty where the
    system does not tell.
    """
    number = os.getpid()
    place = _place()
    return platform.node(), number, f"{place} {_state_and_tick(number)[1]}" if place else ""


def is_gone(host: str, number: int, birth: str = "", *, is_ours: bool = False) -> bool:
    """Say whether a process is over for certain.

    One that is over and that its parent has not asked after yet is gone, and so is one whose number a later
    one bears. Nothing is known of another host's or another container's. A process of another boot may be of
    an earlier one of this machine, and gone, or of the present one of a clone that bears the same name: the
    boot alone does not tell. Machines resumed from one image of their memory share the boot too, and their
    names have to tell them apart.

    Parameters
    ----------
    host, number, birth
        The process, as `here` gave it there; without a birth nothing is known.
    is_ours
        Whether it was a process of this machine for certain.
    """
    place, _, tick = birth.rpartition(" ")
    ours = _place()
    if not place or not ours or host != platform.node():
        return False
    if place != ours:
        return is_ours and place.split()[0] != ours.split()[0]
    try:
        state, begun = _state_and_tick(number)
    except OSError:
        return not _exists(number)
    return state == "Z" or begun != tick


def _place() -> str:
    """Name this boot and this container; empty where /proc is missing or another container's."""
    try:
        if _SELF.readlink().name != str(os.getpid()):
            return ""
        return f"{_BOOT.read_text().strip()} {_NAMESPACE.stat().st_ino}"
    except OSError:
        return ""


def _state_and_tick(number: int) -> tuple[str, str]:
    """Give a process's state, ``Z`` for one that is over, and the clock tick since the boot when it began."""
    # The second field, a name in brackets, may hold spaces and brackets itself.
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[19]


def _exists(number: int) -> bool:
    """Say whether there is a process of this number, which /proc may hide from other users."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
