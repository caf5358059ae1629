"""A run that a later session goes on with."""

from __future__ import annotations

import os

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

__all__ = ["continue_run"]


def continue_run(run_id: str, experiment: str) -> bool:
    """Have the next `rareflow.tracking.runs.parent_run` go on with an earlier run, and say whether it will.

    It will not where the store does not hold the run any more, or not in this experiment, nor under
    ``mlflow run``, which has a run of its own. Call `rareflow.tracking.store.prepare_store` first.

    Parameters
    ----------
    run_id
        The run; empty for none.
    experiment
        The name that `prepare_store` was given.
    """
    if not run_id or "MLFLOW_RUN_ID" in os.environ:
        return False
    client = MlflowClient()
    chosen = client.get_experiment_by_name(experiment)
    try:
        info = client.get_run(run_id).info
    except MlflowException:
        return False
    if chosen is None or info.experiment_id != chosen.experiment_id or info.lifecycle_stage != "active":
        return False
    os.environ["MLFLOW_RUN_ID"] = run_id  # which `parent_run` joins, and MLflow takes out again
    return True
