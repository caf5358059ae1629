"""Ctrl-C and termination that stop the work for certain, and let it close what it has open."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["stoppable"]

_AGAIN_S = 0.1


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on a termination as on Ctrl-C, and again where it was lost.

    Python raises it wherever it happens to be. In a destructor or a callback of a weak reference, which the
    databases' libraries have many of, it drops it, and the work would go on as if nothing had been said; in
    the making of a class it calls it a `RuntimeError`, and the stop would end as an error.
    For the main thread only, as signals are. Who ignores Ctrl-C goes on ignoring it.
    """
    told = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal told
        told = True
        signal.default_int_handler(number, frame)

    def hook(dropped: Any) -> None:  # noqa: ANN401 - its type has no name at run time
        if dropped.exc_type is KeyboardInterrupt:
            # Later, because here it would be dropped again; by no thread, because its start needs locks that
            # may be held where the destructor was called.
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        else:
            hook_before(dropped)

    hook_before = sys.unraisablehook
    heeded = [signal.SIGTERM, signal.SIGALRM]
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        heeded.append(signal.SIGINT)
    handlers_before = {number: signal.signal(number, stop) for number in heeded}
    sys.unraisablehook = hook
    try:
        yield
    except Exception as err:
        if told:
            raise KeyboardInterrupt from err
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook_before
        for number, handler in handlers_before.items():
            signal.signal(number, handler)
