"""Runs that still say RUNNING although their process died without a word: no memory left, or power lost."""

from __future__ import annotations

import os

import psutil
from mlflow import MlflowClient

from rareflow.tracking.environment import HOST_TAG, PROCESS_TAG, process_tags
from rareflow.tracking.runs import sweep_children

__all__ = ["sweep_dead_runs"]


def sweep_dead_runs() -> int:
    """Set runs of this host whose process is gone, and their children, to ``KILLED``; give their number.

    Call it before this process opens a run: one that bears its number was an earlier process's.
    """
    client = MlflowClient()
    experiments = [found.experiment_id for found in client.search_experiments()]
    here = f"attributes.status = 'RUNNING' AND tags.`{HOST_TAG}` = '{process_tags()[HOST_TAG]}'"
    dead = [
        run.info.run_id
        for run in client.search_runs(experiments, filter_string=here)
        if not _is_alive(int(run.data.tags[PROCESS_TAG]))
    ]
    for run_id in dead:
        sweep_children(run_id)
        client.set_terminated(run_id, "KILLED")
    return len(dead)


def _is_alive(number: int) -> bool:
    return number != os.getpid() and psutil.pid_exists(number)
