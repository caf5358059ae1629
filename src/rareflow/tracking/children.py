"""The children of a run that came to their end, on the server or in the spool."""

from __future__ import annotations

import mlflow
from mlflow import MlflowClient

from rareflow.tracking.outage import ask
from rareflow.tracking.searching import every_run
from rareflow.tracking.spooling.spool import PARENT_TAG, spooled_runs

__all__ = ["finished_children"]


def finished_children(parent_id: str) -> set[str]:
    """Give the names of a run's ``FINISHED`` children, those that wait in the spool among them.

    Raises
    ------
    ServerAwayError
        If the server does not answer.
    """
    # The spool first: an upload takes a run out of it only when the server has all of it.
    found = [run for run in spooled_runs(parent_id) if PARENT_TAG in run.data.tags]

    def search() -> None:
        client = MlflowClient()
        experiment = client.get_run(parent_id).info.experiment_id
        found.extend(every_run(client, [experiment], f"tags.`{PARENT_TAG}` = '{parent_id}'"))

    ask(str(mlflow.get_tracking_uri()), search)
    return {run.info.run_name for run in found if run.info.status == "FINISHED"}
