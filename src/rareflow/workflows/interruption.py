"""Ctrl-C and termination that stop the work for certain, and let it close what it has open."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["stoppable"]

_AGAIN_S = 0.1


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on a termination as on Ctrl-C, and again where it was lost.

    Python raises it wherever it happens to be, and drops it if that is a destructor or a callback of a weak
    reference, which the databases' libraries have many of; the work would go on as if nothing had been said.
    For the main thread only, as signals are.
    """
    hook_before = sys.unraisablehook
    handler_before = signal.signal(signal.SIGTERM, signal.default_int_handler)

    def hook(dropped: Any) -> None:  # noqa: ANN401 - its type has no name at run time
        if dropped.exc_type is KeyboardInterrupt:
            # Later, because here it would be dropped again.
            main = threading.main_thread().ident
            threading.Timer(_AGAIN_S, signal.pthread_kill, [main, signal.SIGTERM]).start()
        else:
            hook_before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = hook_before
        signal.signal(signal.SIGTERM, handler_before)
