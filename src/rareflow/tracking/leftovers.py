"""Runs that still say RUNNING although their process died without a word: no memory left, or power lost.

A server that is away is left as it is: the next command puts it right, or `rareflow sync` does.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from rareflow.databases import sqlite_file
from rareflow.identity import is_gone
from rareflow.tracking.environment import BIRTH_TAG, HOST_TAG, PROCESS_TAG, process_tags
from rareflow.tracking.outage import ServerAwayError, ask
from rareflow.tracking.searching import every_run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mlflow.entities import Run

__all__ = ["sweep_children", "sweep_dead_runs", "sweep_ended_children"]


def sweep_dead_runs() -> int:
    """Set runs of this host whose process is gone, parents and children, to ``KILLED``; give their number.

    A child of such a parent may be a worker's of another host, which lives: nothing is done to it here. Nor
    is anything to a run of another boot, which may be a clone's, unless the store is a file on a disk of this
    machine: then it is of an earlier boot.
    """
    host, is_ours = process_tags()[HOST_TAG], _is_on_a_disk(str(mlflow.get_tracking_uri()))

    def is_dead(run: Run) -> bool:
        tags = run.data.tags
        return is_gone(host, int(tags[PROCESS_TAG]), tags.get(BIRTH_TAG, ""), is_ours=is_ours)

    return len(_sweep(None, f"tags.`{HOST_TAG}` = '{host}'", is_dead))


def sweep_children(parent_id: str) -> int:
    """Set children that still say ``RUNNING`` to ``KILLED``, and give their number.

    Call it when no worker of this parent is alive: what runs then was left behind by a process that died.
    """
    return len(_sweep(None, f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent_id}'", lambda _: True))


def sweep_ended_children(
    parents: Iterable[str], names: Collection[str], *, tracking_uri: str | None = None
) -> list[str]:
    """Set children of these names that still say ``RUNNING`` to ``KILLED``, and give their names.

    Call it with the names of what has ended for certain: what runs under such a name lost its process, on
    whatever host that was.

    Parameters
    ----------
    parents
        Run ids; a run that the store does not hold has no children there.
    names
        Names of runs, such as ``trial-0007``.
    tracking_uri
        The store; ``None`` takes MLflow's current one.
    """
    return [
        name
        for parent in parents
        for name in _sweep(
            tracking_uri,
            f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent}'",
            lambda run: run.info.run_name in names,
        )
    ]


def _is_on_a_disk(uri: str) -> bool:
    """Say whether a store is a file on a disk: one that machines share by a network has no device here."""
    file = Path(sqlite_file(uri))
    return file.is_file() and os.major(file.stat().st_dev) != 0


def _sweep(tracking_uri: str | None, which: str, is_left: Callable[[Run], bool]) -> list[str]:
    """Set those of certain runs that say ``RUNNING`` and are left behind to ``KILLED``; give their names."""
    client = MlflowClient(tracking_uri)
    swept: list[str] = []

    def sweep() -> None:
        experiments = [found.experiment_id for found in client.search_experiments()]
        running = f"attributes.status = 'RUNNING' AND {which}"
        for run in every_run(client, experiments, running):
            if is_left(run):
                client.set_terminated(run.info.run_id, "KILLED")
                swept.append(run.info.run_name)

    with suppress(ServerAwayError):
        ask(tracking_uri or str(mlflow.get_tracking_uri()), sweep)
    return swept
