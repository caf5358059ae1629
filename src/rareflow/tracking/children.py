"""The children of a run that came to their end, on the server or in the spool."""

from __future__ import annotations

import mlflow
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from rareflow.tracking.outage import ask
from rareflow.tracking.searching import every_run
from rareflow.tracking.spooling.spool import spooled_runs

__all__ = ["finished_children"]


def finished_children(parent_id: str) -> set[str]:
    """Give the names of a run's ``FINISHED`` children, those that wait in the spool among them.

    Raises
    ------
    ServerAwayError
        If the server does not answer.
    """
    # The spool first: an upload takes a run out of it only when the server has all of it.
    found = [run for run in spooled_runs(parent_id) if MLFLOW_PARENT_RUN_ID in run.data.tags]

    def search() -> None:
        client = MlflowClient()
        experiment = client.get_run(parent_id).info.experiment_id
        found.extend(every_run(client, [experiment], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent_id}'"))

    ask(str(mlflow.get_tracking_uri()), search)
    return {run.info.run_name for run in found if run.info.status == "FINISHED"}
