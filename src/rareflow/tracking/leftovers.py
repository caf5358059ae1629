"""Runs that still say RUNNING although their process died without a word: no memory left, or power lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlflow import MlflowClient

from rareflow.processes import is_gone
from rareflow.tracking.environment import HOST_TAG, PROCESS_TAG, process_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["sweep_dead_runs", "sweep_ended_children"]

_PARENT = "mlflow.parentRunId"


def sweep_dead_runs(*, own: bool = True) -> int:
    """Set runs of this host whose process is gone, parents and children, to ``KILLED``; give their number.

    A child of such a parent may be a worker's of another host, which lives: nothing is done to it here.

    Parameters
    ----------
    own
        Whether runs that bear this process's number are an earlier one's: true until it opens a run itself.
    """
    client = MlflowClient()
    host = process_tags()[HOST_TAG]
    here = f"attributes.status = 'RUNNING' AND tags.`{HOST_TAG}` = '{host}'"
    dead = [
        run.info.run_id
        for run in client.search_runs(_experiments(client), filter_string=here)
        if is_gone(host, number := int(run.data.tags[PROCESS_TAG])) or (own and number == os.getpid())
    ]
    for run_id in dead:
        client.set_terminated(run_id, "KILLED")
    return len(dead)


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
    client = MlflowClient(tracking_uri)
    experiments = _experiments(client)
    swept = []
    for parent in parents:
        running = f"tags.`{_PARENT}` = '{parent}' AND attributes.status = 'RUNNING'"
        for run in client.search_runs(experiments, filter_string=running):
            if run.info.run_name in names:
                client.set_terminated(run.info.run_id, "KILLED")
                swept.append(run.info.run_name)
    return swept


def _experiments(client: MlflowClient) -> list[str]:
    return [found.experiment_id for found in client.search_experiments()]
