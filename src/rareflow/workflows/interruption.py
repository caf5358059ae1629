"""Ctrl-C and termination that stop the work for certain, and let it close what it has open."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["stoppable"]

_AGAIN_S = 0.1
_SIGNALS = (signal.SIGTERM, signal.SIGALRM)


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on a termination as on Ctrl-C, and again where it was lost.

    Python raises it wherever it happens to be, and drops it if that is a destructor or a callback of a weak
    reference, which the databases' libraries have many of; the work would go on as if nothing had been said.
    For the main thread only, as signals are.
    """
    hook_before = sys.unraisablehook
    handlers_before = {number: signal.signal(number, signal.default_int_handler) for number in _SIGNALS}

    def hook(dropped: Any) -> None:  # noqa: ANN401 - its type has no name at run time
        if dropped.exc_type is KeyboardInterrupt:
            # Later, because here it would be dropped again; by no thread, because its start needs locks that
            # may be held where the destructor was called.
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        else:
            hook_before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook_before
        for number, handler in handlers_before.items():
            signal.signal(number, handler)
