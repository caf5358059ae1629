from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from rareflow.tracking.children import finished_children
from rareflow.tracking.runs import child_run, parent_run
from rareflow.tracking.spooling.spool import SPOOL, Spool, SpooledRun

pytestmark = pytest.mark.fault


@pytest.fixture
def parent(store):
    assert store
    with parent_run("benchmark") as run:
        return run.id


def end(parent, name, status):
    with child_run(parent, name) as run:
        run.end(status)


def spool(parent, name, status=None):
    place = SpooledRun(Spool(Path(SPOOL)), name, 1, {MLFLOW_PARENT_RUN_ID: parent})
    if status:
        place.client.set_terminated(place.run_id, status)
    place.close()


def test_only_children_of_this_run_that_finished_are_given(parent):
    for name, status in (("a", "FINISHED"), ("b", "KILLED"), ("c", "FAILED")):
        end(parent, name, status)
    MlflowClient().create_run("1", tags={MLFLOW_PARENT_RUN_ID: parent}, run_name="still runs")
    with parent_run("another") as other:
        end(other.id, "d", "FINISHED")
    assert finished_children(parent) == {"a"}


def test_a_child_that_finished_in_the_spool_counts_and_one_whose_process_died_there_does_not(parent):
    end(parent, "a", "FINISHED")
    spool(parent, "b", "FINISHED")
    spool(parent, "c")  # an upload will call it KILLED
    spool("another", "d", "FINISHED")
    assert finished_children(parent) == {"a", "b"}


def test_children_that_fill_more_than_a_page_are_all_given(parent, monkeypatch):
    names = {f"{number}" for number in range(5)}
    for name in names:
        end(parent, name, "FINISHED")
    search = MlflowClient.search_runs
    monkeypatch.setattr(
        MlflowClient, "search_runs", lambda *args, **options: search(*args, **options, max_results=2)
    )
    assert finished_children(parent) == names
