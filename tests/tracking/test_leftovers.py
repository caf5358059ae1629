import os
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from rareflow.tracking.environment import HOST_TAG, PROCESS_TAG, process_tags
from rareflow.tracking.leftovers import sweep_dead_runs
from rareflow.tracking.runs import parent_run


@pytest.fixture
def client(store):
    return MlflowClient(store)


@pytest.fixture
def dead_process():
    """The number of a process that is over."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return str(process.pid)


def status(client, run_id):
    return client.get_run(run_id).info.status


def start(client, **tags):
    return client.create_run("1", tags={HOST_TAG: process_tags()[HOST_TAG], **tags}).info.run_id


def test_a_run_says_which_process_it_is_of(client):
    with parent_run("study") as run:
        tags = client.get_run(run.id).data.tags
    assert tags[PROCESS_TAG] == str(os.getpid())
    assert tags[HOST_TAG]


def test_a_run_whose_process_is_gone_is_killed_with_its_children(client, dead_process):
    dead = start(client, **{PROCESS_TAG: dead_process})
    child = client.create_run("1", tags={"mlflow.parentRunId": dead}).info.run_id
    assert sweep_dead_runs() == 1
    assert (status(client, dead), status(client, child)) == ("KILLED", "KILLED")
    assert sweep_dead_runs() == 0


def test_a_run_that_an_earlier_process_of_our_number_left_behind_is_killed(client):
    dead = start(client, **{PROCESS_TAG: str(os.getpid())})
    assert sweep_dead_runs() == 1
    assert status(client, dead) == "KILLED"


def test_runs_of_a_living_process_another_host_or_another_program_are_left_alone(client, dead_process):
    left = [
        start(client, **{PROCESS_TAG: str(os.getppid())}),
        start(client, **{PROCESS_TAG: dead_process, HOST_TAG: "elsewhere"}),
        client.create_run("1").info.run_id,
    ]
    assert sweep_dead_runs() == 0
    assert [status(client, run_id) for run_id in left] == ["RUNNING"] * 3
