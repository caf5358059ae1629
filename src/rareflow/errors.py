"""The errors a user can cause and mend: each message names the thing, echoes the value, says the remedy."""

from __future__ import annotations

import re
from numbers import Integral
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "ConfigError",
    "DataError",
    "DivergedError",
    "RareflowError",
    "SpooledError",
    "StoreError",
    "check_whole",
    "is_stop",
    "lacks_memory",
]

# Neither torch's allocator of the CPU nor XGBoost has a class of its own for it.
_NO_MEMORY = {"RuntimeError": "DefaultCPUAllocator", "XGBoostError": "bad_alloc"}


class RareflowError(Exception):
    """Something a user can mend; the command line prints it on one line and exits with `exit_code`.

    Parameters
    ----------
    message
        What is wrong and what mends it; a line's end in it, which a column's name may hold, is written out.
    """

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(
            re.sub(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", lambda end: repr(end[0])[1:-1], message)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle whatever else an error holds: work in other processes ends with one."""
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[RareflowError], args: tuple[Any, ...], held: dict[str, Any]) -> RareflowError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(held)
    return error


class DataError(RareflowError, ValueError):
    """A file or a table that cannot be used as it is."""


class ConfigError(RareflowError, ValueError):
    """An option or a parameter whose value is refused."""


class StoreError(RareflowError):
    """A tracking store, a study's storage, a registered model or an output folder that cannot be used."""


class DivergedError(RareflowError, ArithmeticError):
    """A training whose loss or weights are no longer finite.

    Parameters
    ----------
    message
        Where, and what mends it.
    history
        The losses of each step before, with its number as ``step``.
    """

    def __init__(self, message: str, history: Sequence[Mapping[str, float]] = ()) -> None:
        super().__init__(message)
        self.history = history


class SpooledError(RareflowError):
    """Work that came to its end while the tracking server was away: what it logged waits in the spool.

    Parameters
    ----------
    message
        Where the results are and what uploads them.
    result
        What the command would have printed; the command line prints it all the same.
    """

    exit_code = 3

    def __init__(self, message: str, *, result: str) -> None:
        super().__init__(message)
        self.result = result


def check_whole(name: str, value: object, *, least: int) -> None:
    """Refuse a parameter that is no whole number, or a smaller one.

    Raises
    ------
    ConfigError
        The message names the parameter and its value.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigError(f"{name}={value!r} must be a whole number of at least {least}")


def lacks_memory(err: BaseException) -> bool:
    """Tell whether an error, whoever raised it, says that memory ran out."""
    kind = type(err).__name__
    is_named = isinstance(err, MemoryError) or kind == "OutOfMemoryError"  # the latter is torch's, of a GPU
    return is_named or (kind in _NO_MEMORY and _NO_MEMORY[kind] in str(err))


def is_stop(err: BaseException) -> bool:
    """Tell whether an error came of a Ctrl-C, as one does that stops the making of a class, or a closing."""
    causes = (cause for cause in (err.__cause__, err.__context__) if cause is not None)
    return isinstance(err, KeyboardInterrupt) or any(map(is_stop, causes))
