"""A Dask cluster: reached, and its loss told in one line."""

from __future__ import annotations

import logging
import re
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rareflow.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_scheduler", "connected", "explained", "strange"]

_ANSWER_S = 10


def check_scheduler(address: str) -> None:
    """Refuse a scheduler that does not answer, before anything is written.

    Raises
    ------
    ConfigError
        If Dask is not installed or no scheduler answers at that address.
    """
    with connected(address):
        pass


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Give a client of a scheduler; whatever it has not been given by the end, the cluster drops.

    Raises
    ------
    ConfigError
        As `check_scheduler` does.
    """
    try:
        import distributed  # noqa: PLC0415 - an extra
    except ImportError as err:
        raise ConfigError(
            f"--launcher dask needs the Python package {err.name!r}; pip install 'rareflow[distributed]'"
        ) from err
    try:
        client = distributed.Client(address, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as err:
        raise ConfigError(
            f"no Dask scheduler answers at --scheduler {address!r}; start `dask scheduler` and give the "
            "address that it prints, such as tcp://host:8786"
        ) from err
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it has to say, it raises too
    with client:
        yield client


@contextmanager
def explained(scheduler: str) -> Iterator[None]:
    """Say in one line what is wrong with a cluster.

    Raises
    ------
    StoreError
        If the cluster is lost, or its scheduler cannot read a task.
    """
    import distributed  # noqa: PLC0415 - an extra

    try:
        yield
    except (CancelledError, distributed.KilledWorker, OSError) as err:
        raise StoreError(
            f"the Dask cluster {scheduler} was lost ({_reason(err)}); mend it and run the same command again"
        ) from err
    except RuntimeError as err:  # all that Dask raises where the scheduler cannot read a task
        raise strange(f"scheduler {scheduler}", err) from err


def strange(who: str, err: BaseException) -> StoreError:
    """Give the refusal of a machine of the cluster that cannot read a task."""
    return StoreError(
        f"the Dask {who} cannot run this version of rareflow ({_reason(err)}); install it where scheduler "
        "and workers run"
    )


def _reason(err: BaseException) -> str:
    return re.sub(r"\s+", " ", str(err))[:300]
