"""Commands whose tracking server goes away in the middle: for half a minute, and for good."""

import os
import signal
import threading
import time
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from rareflow.tracking.loading import load_generator
from rareflow.tracking.spooling.spool import SPOOL, Spool
from rareflow.workflows import benchmark, evaluate, train, tune
from rareflow.workflows.studying.trials import _TrialRun
from tests.faults import stores
from tests.workflows.commands import rareflow, short_trainings
from tests.workflows.test_benchmark import COMMAND as BENCHMARK
from tests.workflows.test_interruption import TUNE, start, wait_for_the_second_trial

pytestmark = [pytest.mark.fault, pytest.mark.slow]

MODEL = "rareflow-gas-pipeline"


@pytest.fixture
def server(tmp_path, empty_database):
    home = tmp_path / "server"
    home.mkdir()
    with stores.server(home, empty_database) as started:
        yield started


@pytest.fixture
def folder(tmp_path, server):
    home = tmp_path / "here"
    home.mkdir()
    with stores.tracked(home, server), short_trainings():
        yield home


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, empty_database):
    """What a study leaves on a server that stays."""
    folders = [tmp_path_factory.mktemp(name) for name in ("server", "here")]
    with (
        stores.server(folders[0], empty_database) as server,
        stores.tracked(folders[1], server),
        short_trainings(),
    ):
        ended = rareflow(*TUNE)
        assert ended.code == 0, ended.said
        return held(server)


def held(server):
    return stores.held(server.address, times={"split_seconds"})


def ours(said):
    """Leave out what MLflow says of a registration."""
    return [line for line in said if line.startswith("rareflow: ")]


def in_the_second_trial(monkeypatch, go_away):
    """Have the server go away when the second trial has its first result."""
    on_repeat = _TrialRun.on_repeat

    def log(self, repeat, found):
        if self._name.startswith("trial-0001"):
            go_away()
        on_repeat(self, repeat, found)

    monkeypatch.setattr(_TrialRun, "on_repeat", log)


def sync():
    ended = rareflow("sync")
    assert ended.code == 0, ended.said


def registered(server):
    return [
        version.version for version in MlflowClient(server.address).search_model_versions(f"name='{MODEL}'")
    ]


@pytest.mark.parametrize("is_down", [True, False])
def test_a_registry_that_is_another_server_is_told_at_the_end_and_without_it_the_same_command_registers(
    folder, server, monkeypatch, is_down
):
    os.environ["MLFLOW_REGISTRY_URI"] = server.address
    os.environ["MLFLOW_TRACKING_URI"] = store = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(store)
    if is_down:
        in_the_second_trial(monkeypatch, server.kill)
    ended = rareflow(*TUNE)
    (line,) = ours(ended.said)
    assert ended.code == 2
    assert line.startswith(f"rareflow: the server {server.address!r} does not answer any more (")
    assert line.endswith("so unset MLFLOW_REGISTRY_URI first")
    assert not (folder / SPOOL).exists()
    del os.environ["MLFLOW_REGISTRY_URI"]
    again = rareflow(*TUNE)
    assert (again.code, ours(again.said)) == (0, [])
    found = MlflowClient(store).search_model_versions(f"name='{MODEL}'")
    assert [int(each.version) for each in found] == [1]


def test_a_server_that_is_down_for_half_a_minute_costs_nothing_but_time(
    folder, server, monkeypatch, undisturbed
):
    def go_away():
        server.kill()
        gone.append(time.monotonic())
        threading.Timer(30, come_back).start()

    def come_back():
        server.start()
        back.append(time.monotonic())

    gone, back = [], []
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"):
        del os.environ[name]
    in_the_second_trial(monkeypatch, go_away)
    ended = rareflow(*TUNE)
    assert (ended.code, ours(ended.said)) == (0, [])
    assert back[0] - gone[0] > 30
    assert not (folder / SPOOL).exists()
    assert held(server) == undisturbed
    assert registered(server) == ["1"]


def test_a_study_whose_server_goes_away_for_good_is_whole_after_a_sync_and_registers_then(
    folder, server, monkeypatch, undisturbed
):
    in_the_second_trial(monkeypatch, server.kill)
    ended = rareflow(*TUNE)
    monkeypatch.undo()
    assert ended.code == 3
    assert ours(ended.said) == ended.said
    assert " ".join(ended.said) == (
        "rareflow: the tracking server went away; what 2 of the runs logged since is kept in "
        f"'{folder / SPOOL}': when it is back, upload it with `rareflow sync`; the same command "
        "afterwards registers the generator"
    )
    assert "Registered nothing, because the tracking server went away." in ended.out
    assert "Test part, scored once:" in ended.out
    server.start()
    assert registered(server) == []
    assert rareflow("sync").out == f"Uploaded 2 runs to {server.address}; rareflow-spool is removed.\n"
    assert held(server) == undisturbed
    again = rareflow(*TUNE)
    assert (again.code, ours(again.said)) == (0, [])
    assert registered(server) == ["1"]


def test_a_server_that_goes_away_while_it_registers_has_nothing_registered_and_the_run_is_whole_after_a_sync(
    folder, server, monkeypatch, undisturbed
):
    def register(*args, **options):
        server.kill()
        return registering(*args, **options)

    registering = tune.register
    monkeypatch.setattr(tune, "register", register)
    ended = rareflow(*TUNE)
    assert ended.code == 3, ended.said
    assert "Registered nothing, because the tracking server went away." in ended.out
    assert (folder / SPOOL).exists()
    server.start()
    assert registered(server) == []
    sync()
    assert held(server) == undisturbed


def test_a_study_of_which_a_part_is_in_the_spool_registers_nothing_though_the_server_is_back(
    folder, server, monkeypatch, undisturbed
):
    def log_study(*args):
        server.start()
        logging(*args)

    logging = tune._log_study
    monkeypatch.setattr(tune, "_log_study", log_study)
    in_the_second_trial(monkeypatch, server.kill)
    ended = rareflow(*TUNE)
    assert ended.code == 3, ended.said
    assert "what 1 of the runs logged since is kept" in ended.said[0]
    assert registered(server) == []
    assert (folder / SPOOL).exists()
    sync()
    assert held(server) == undisturbed


def test_several_processes_keep_their_runs_in_one_spool(folder, server, undisturbed):
    client = MlflowClient(server.database)
    client.create_experiment("rareflow", "mlflow-artifacts:/1")
    with start(folder, *TUNE, "--jobs", "2") as process:
        while not [run for run in client.search_runs(["1"]) if run.info.run_name.startswith("trial-")]:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        server.kill()
        said = process.stderr.read().splitlines()
    assert process.returncode == 3, said
    assert ours(said) == said[-1:]
    assert not [line for line in said if "Traceback" in line]
    server.start()
    sync()
    found = stores.held(server.address, times={"split_seconds"})
    assert {name: run["status"] for name, run in found.items()} == {
        name: run["status"] for name, run in undisturbed.items()
    }
    raw = ("metrics", "files", "tags", "params", "inputs")
    assert [found["trial-0000"][key] for key in raw] == [undisturbed["trial-0000"][key] for key in raw]


def test_a_study_that_is_stopped_while_the_server_is_away_says_where_its_runs_are(folder, server):
    client = MlflowClient(server.database)
    client.create_experiment("rareflow", "mlflow-artifacts:/1")
    with start(folder, *TUNE) as process:
        wait_for_the_second_trial(process, client, folder)
        server.kill()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().splitlines()
    assert process.returncode == 130, said
    assert [line for line in said if "goes on in rareflow-spool, which `rareflow sync` uploads" in line]
    server.start()
    sync()
    states = {name: run["status"] for name, run in held(server).items()}
    assert states == {"tune gas-pipeline": "KILLED", "trial-0000": "FINISHED", "trial-0001": "KILLED"}


@pytest.mark.usefixtures("folder")
def test_a_training_whose_server_goes_away_has_its_generator_logged_by_the_sync(server, monkeypatch):
    def log_data(run, settings):
        server.kill()
        logged(run, settings)

    logged = train.log_data
    monkeypatch.setattr(train, "log_data", log_data)
    ended = rareflow("train", "--rows", 600, "--steps", 20, "--class-rows", 50)
    assert ended.code == 3, ended.said
    assert ended.said[0].endswith("upload it with `rareflow sync`, which logs the generator too"), ended.said
    (run,) = Spool(Path(SPOOL)).runs(Spool(Path(SPOOL)).client())
    server.start()
    told = rareflow("sync").out
    client = MlflowClient(server.address)
    (model,) = client.search_logged_models(["1"])
    assert told == (
        f"Uploaded 1 run to {server.address}; rareflow-spool is removed.\n"
        "Balance a table with the generator of 'train gas-pipeline':  "
        f"rareflow augment --data FILE --model {model.model_uri} --out balanced.parquet\n"
    )
    assert model.source_run_id == run.data.tags["rareflow.spool.run"]
    mlflow.set_tracking_uri(server.address)
    assert set(load_generator(model.model_uri).class_rows.values()) == {50}
    assert client.get_run(model.source_run_id).info.status == "FINISHED"
    assert client.get_run(model.source_run_id).info.end_time == run.info.end_time


def kill_before(monkeypatch, server, module, name, *, call=1):
    """Have the server go away when a workflow calls a function of its module that often."""
    called, function = [], getattr(module, name)

    def last(*args, **options):
        called.append(name)
        if len(called) == call:
            server.kill()
        return function(*args, **options)

    monkeypatch.setattr(module, name, last)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("before", "call", "spooled"), [("log_cell", 3, 10), ("log_lacking", 1, 12)])
def test_a_benchmark_whose_server_goes_away_computes_every_cell_and_is_whole_after_a_sync(
    before, call, spooled, server, monkeypatch
):
    ended = rareflow(*BENCHMARK, "--out", "undisturbed")
    assert ended.code == 0, ended.said
    undisturbed = stores.held(server.address, times={"seconds"})
    MlflowClient(server.address).rename_experiment("1", "before")
    with monkeypatch.context() as patch:
        kill_before(patch, server, benchmark, before, call=call)
        ended = rareflow(*BENCHMARK, "--out", "disturbed")
    assert ended.code == 3, ended.said
    told = f"what {spooled + 1} of the runs logged since is kept"
    assert told in ended.said[0], "cells and the benchmark's own"
    server.start()
    sync()
    assert stores.held(server.address, times={"seconds"}) == undisturbed
    again = rareflow(*BENCHMARK, "--out", "disturbed")
    assert (again.code, ours(again.said)) == (0, [])
    assert "12 of 12 cells are done" in again.progress[-1]


@pytest.mark.usefixtures("folder")
def test_an_evaluation_whose_server_goes_away_tells_its_scores_and_is_whole_after_a_sync(server, monkeypatch):
    words = ("evaluate", "--rows", 600)
    ended = rareflow(*words)
    assert ended.code == 0, ended.said
    undisturbed, scores = held(server), ended.out
    MlflowClient(server.address).rename_experiment("1", "before")
    with monkeypatch.context() as patch:
        kill_before(patch, server, evaluate, "score")
        ended = rareflow(*words)
    assert (ended.code, ended.out) == (3, scores)
    server.start()
    sync()
    assert held(server) == undisturbed
