"""MLflow's active run: its models are logged to it, and MLflow watches the system for it."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

import mlflow
from mlflow.tracking.fluent import run_id_to_system_metrics_monitor

from rareflow.tracking.outage import ServerAwayError, ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rareflow.tracking.spooling.channel import Channel

__all__ = ["end_active", "start_active"]

_PATIENCE_S = 10  # for the thread that watches the system, where somebody waits for a stop


def start_active(uri: str, name: str | None, tags: Mapping[str, str]) -> mlflow.ActiveRun:
    """Start a run of this name, or join the one that ``MLFLOW_RUN_ID`` names; either has the tags then.

    The thread that logs the system's metrics gives up, without a word, when a server goes away for good.

    Raises
    ------
    ServerAwayError
        If the server does not answer.
    """
    logging.getLogger("mlflow.system_metrics.system_metrics_monitor").setLevel(logging.CRITICAL)
    return ask(
        uri, lambda: mlflow.start_run(run_name=name, tags=dict(tags), log_system_metrics=_system_metrics())
    )


def end_active(uri: str, channel: Channel, status: str) -> None:
    """End MLflow's active run, which is that of the channel, and have nobody watch the system any more.

    The points that were not sent yet to a server that is away are kept. Ctrl-C in the middle of an import may
    have left Python's import lock locked for good, which the watching thread needs: where somebody stopped
    the run it is waited for shortly, and ends with the process.
    """
    watching = run_id_to_system_metrics_monitor.pop(channel.run_id, None)
    try:
        ask(uri, lambda: mlflow.end_run(status))
        if watching:
            ending = threading.Thread(target=watching.finish, daemon=True)
            ending.start()
            ending.join(_PATIENCE_S if status == "KILLED" else None)
    except ServerAwayError:
        place = channel.spooled()
        if watching:
            place.client.log_batch(place.run_id, metrics=list(watching.mlflow_logger.data))
    if channel.is_spooled:
        channel.end(status)


def _system_metrics() -> bool | None:
    """Switch system metrics on, unless the user's environment says something about them."""
    return None if "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING" in os.environ else True
