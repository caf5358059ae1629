import os
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from rareflow.tracking import leftovers
from rareflow.tracking.environment import BIRTH_TAG, HOST_TAG, PROCESS_TAG, process_tags
from rareflow.tracking.leftovers import sweep_dead_runs, sweep_ended_children
from rareflow.tracking.runs import child_run, parent_run

pytestmark = pytest.mark.fault

PARENT = "mlflow.parentRunId"


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
    return client.create_run("1", tags={**process_tags(), **tags}).info.run_id


def test_a_run_says_which_process_it_is_of(client):
    with parent_run("study") as run:
        tags = client.get_run(run.id).data.tags
    assert tags[PROCESS_TAG] == str(os.getpid())
    assert tags[HOST_TAG]


def test_a_child_says_which_process_it_is_of_which_may_be_another_than_its_parents(client):
    elsewhere = client.create_run("1", tags={HOST_TAG: "elsewhere", PROCESS_TAG: "1"}).info.run_id
    with child_run(elsewhere, "trial-0000") as child:
        tags = client.get_run(child.id).data.tags
    assert {key: tags[key] for key in process_tags()} == process_tags()


def test_a_run_whose_process_is_gone_is_killed_and_so_are_its_children_of_that_process(client, dead_process):
    dead = start(client, **{PROCESS_TAG: dead_process})
    child = start(client, **{PROCESS_TAG: dead_process, PARENT: dead})
    assert sweep_dead_runs() == 2
    assert (status(client, dead), status(client, child)) == ("KILLED", "KILLED")
    assert sweep_dead_runs() == 0


def test_a_worker_that_lives_keeps_its_run_when_the_process_of_the_parent_is_gone(client, dead_process):
    dead = start(client, **{PROCESS_TAG: dead_process})
    left = [
        start(client, **{PROCESS_TAG: dead_process, HOST_TAG: "elsewhere", PARENT: dead}),
        start(client, **{PARENT: dead}),
    ]
    assert sweep_dead_runs() == 1
    assert [status(client, run_id) for run_id in left] == ["RUNNING"] * 2


def test_a_child_that_has_ended_and_still_runs_is_killed_by_its_name_and_no_other_is(client):
    parents = [client.create_run("1").info.run_id for _ in range(3)]
    runs = {
        (parent, name): client.create_run("1", tags={PARENT: parents[parent]}, run_name=name).info.run_id
        for parent, name in ((0, "trial-0000"), (0, "trial-0001"), (1, "trial-0002"), (2, "trial-0003"))
    }
    with child_run(parents[0], "trial-0004") as done:
        pass
    names = {"trial-0000", "trial-0002", "trial-0003", "trial-0004"}
    assert sweep_ended_children([*parents[:2], "no-such-run"], names) == ["trial-0000", "trial-0002"]
    assert {key: status(client, run_id) for key, run_id in runs.items()} == {
        (0, "trial-0000"): "KILLED",
        (0, "trial-0001"): "RUNNING",
        (1, "trial-0002"): "KILLED",
        (2, "trial-0003"): "RUNNING",
    }
    assert status(client, done.id) == "FINISHED"


def test_a_run_that_an_earlier_process_of_our_number_left_behind_is_killed(client):
    place, tick = process_tags()[BIRTH_TAG].rsplit(" ", 1)
    dead = start(client, **{BIRTH_TAG: f"{place} {int(tick) - 1}"})
    assert sweep_dead_runs() == 1
    assert status(client, dead) == "KILLED"


def test_a_run_of_an_earlier_boot_is_killed_where_the_store_is_a_file_of_this_machine(client, monkeypatch):
    run_id = start(client, **{BIRTH_TAG: f"another {process_tags()[BIRTH_TAG]}"})
    for device, swept in ((0, 0), (8, 1)):
        monkeypatch.setattr(os, "major", lambda _, device=device: device)
        assert sweep_dead_runs() == swept
    assert status(client, run_id) == "KILLED"


@pytest.mark.parametrize(
    "uri", ["sqlite:////proc/version", "sqlite:///:memory:", "http://127.0.0.1:5000", "postgresql://host/db"]
)
def test_a_store_that_is_no_file_on_a_disk_may_be_other_machines_too(uri):
    assert not leftovers._is_on_a_disk(uri)


def test_runs_of_a_living_process_another_host_boot_or_program_are_left_alone(
    client, dead_process, monkeypatch
):
    monkeypatch.setattr(os, "major", lambda _: 0)  # as on a disk that machines share
    dead = {PROCESS_TAG: dead_process}
    left = [
        start(client),
        start(client, **dead, **{HOST_TAG: "elsewhere"}),
        start(client, **dead, **{BIRTH_TAG: f"another {process_tags()[BIRTH_TAG]}"}),
        client.create_run("1").info.run_id,
        client.create_run("1", tags={HOST_TAG: process_tags()[HOST_TAG], **dead}).info.run_id,
    ]
    assert sweep_dead_runs() == 0
    assert [status(client, run_id) for run_id in left] == ["RUNNING"] * 5
