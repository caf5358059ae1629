import os

import pytest
from mlflow import MlflowClient

from rareflow.tracking.continuation import continue_run
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store


@pytest.fixture
def run_id(store):
    """A run that came to its end."""
    assert store
    with parent_run("first", params={"a": 1}) as run:
        return run.id


def next_run(**more):
    with parent_run("next", **more) as run:
        return run.id


def test_the_next_parent_run_goes_on_with_the_run(run_id):
    assert continue_run(run_id, "rare")
    assert next_run(params={"a": 2, "b": 3}) == run_id
    run = MlflowClient().get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert run.data.params == {"a": "1", "b": "3"}
    assert next_run() != run_id, "once"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("unknown", ["", "0" * 32, "no id"])
def test_a_run_that_the_store_does_not_hold_is_not_continued(unknown):
    assert not continue_run(unknown, "rare")
    assert "MLFLOW_RUN_ID" not in os.environ


def test_a_deleted_run_is_not_continued(run_id):
    MlflowClient().delete_run(run_id)
    assert not continue_run(run_id, "rare")


def test_a_run_of_another_experiment_is_not_continued(run_id):
    prepare_store("other")
    assert not continue_run(run_id, "other")
    assert not continue_run(run_id, "unknown")
    assert next_run() != run_id


def test_mlflow_run_has_a_run_of_its_own(run_id, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "its own")
    assert not continue_run(run_id, "rare")
    assert os.environ["MLFLOW_RUN_ID"] == "its own"
