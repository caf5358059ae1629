"""A tracking server of a test's own, and what its store holds, to be held against another one's."""

import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient

from tests.workflows.commands import workplace
from tests.workflows.servers import MLflow

# Who ran it, where and when.
_OWN = {"rareflow.host", "rareflow.process", "rareflow.process.birth", "mlflow.source.name", "mlflow.user"}


@contextmanager
def server(home, empty_database):
    """Start a server on an SQLite file in a folder, and end it."""
    shutil.copy(empty_database, home / "mlflow.db")
    started = MLflow(f"sqlite:///{home}/mlflow.db", home / "artifacts")
    try:
        started.start()
        yield started
    finally:
        started.end()


@contextmanager
def tracked(folder, server):
    """Be in a folder, and have MLflow track on a server, in vain if it does not answer soon."""
    with workplace(folder):
        os.environ["MLFLOW_TRACKING_URI"] = server.address
        impatient()
        yield folder


def impatient():
    """Have MLflow retry once and soon: the tests of a server that is down for good have no minutes."""
    os.environ |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}


def held(address, experiment="rareflow", times=()):
    """Give what an experiment holds of each run, by name: all but ids and times, and what measures them."""
    client = MlflowClient(address)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    names = {run.info.run_id: run.info.run_name for run in found}
    assert len(set(names.values())) == len(names), "a run came twice"
    return {run.info.run_name: _held(client, run, names, times) for run in found}


def _held(client, run, names, times):
    tags = {key: value for key, value in run.data.tags.items() if key not in _OWN}
    if parent := tags.pop("mlflow.parentRunId", None):
        tags["parent"] = names[parent]
    metrics = {
        key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
        if not key.startswith("system/")
    }
    return {
        "status": run.info.status,
        "ended": run.info.end_time is not None,
        "params": {key: value for key, value in run.data.params.items() if not _is_of_a_model(key)},
        "tags": tags,
        "metrics": {
            key: sorted(points) if key not in times else len(points) for key, points in metrics.items()
        },
        "inputs": sorted(
            (each.dataset.to_dictionary()["digest"], sorted((tag.key, tag.value) for tag in each.tags))
            for each in run.inputs.dataset_inputs
        ),
        "files": _files(client, run),
    }


def _is_of_a_model(param):
    """MLflow copies a logged model's options to the run; one that the outage kept from logging has none."""
    return param == "max_rows" or param.startswith("sha256/")


def _files(client, run):
    """Give the digest of each artifact, None for those that hold a time or a random word."""
    with TemporaryDirectory() as name:
        top = Path(client.download_artifacts(run.info.run_id, "", name))
        return {
            str(file.relative_to(top)): None
            if _is_of_its_time(file)
            else hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(top.rglob("*"))
            if file.is_file()
        }


def _is_of_its_time(file):
    return file.suffix == ".html" or file.name in {"trials.csv", "error.txt", "report.md", "results.csv"}
