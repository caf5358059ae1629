"""A tracking server that goes away for good while runs are open, and the upload of what was kept."""

import os
import re
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.generators.estimators import VAEWGANGP
from rareflow.tracking import active, runs
from rareflow.tracking.environment import process_tags
from rareflow.tracking.leftovers import sweep_children
from rareflow.tracking.loading import load_generator
from rareflow.tracking.registry import log_or_keep_generator
from rareflow.tracking.runs import child_run, parent_run
from rareflow.tracking.spooling.spool import SPOOL, Spool, spooled_runs
from rareflow.tracking.store import prepare_store
from tests.faults import stores
from tests.workflows.commands import rareflow

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def running(tmp_path_factory, empty_database):
    """The one server of these tests, each of which has an experiment of its own."""
    with stores.server(tmp_path_factory.mktemp("server"), empty_database) as server:
        yield server


@pytest.fixture
def server(running):
    yield running
    if running.process is None:
        running.start()


@pytest.fixture
def folder(tmp_path, server):
    with stores.tracked(tmp_path, server):
        yield tmp_path


def log_all(run, who):
    """Log one of each kind."""
    run.log_params({f"param_{i}": who for i in range(150)})
    run.log_curve([{"step": step, "loss": step / 7} for step in range(300)])
    run.log_metrics({"score": 0.5, "other/score": 0.25}, step=3)
    run.set_tag("who", who)
    frame = pd.DataFrame({"x": [1.0, 2.0], "label": ["a", "b"]})
    run.log_table(Table(frame, Schema.infer(frame[["x"]]), "label", who), context="training", source="t.csv")
    run.log_text(who, "texts/who.txt")
    run.log_figure(Figure(), "figure.png")
    Path("given").mkdir(exist_ok=True)
    Path("given/file.bin").write_bytes(who.encode())
    run.log_file("given/file.bin")
    run.log_folder("given", "folder")


def fitted():
    """A generator."""
    X = np.random.default_rng(0).normal(size=(8, 2))
    return VAEWGANGP(steps=1, hidden_dim=8, random_state=0).fit(X, ["a", "b"] * 4).generator_


def work(experiment, go_away=lambda: None):
    """Log a command's runs; the server may go away while the parent and one child are open."""
    prepare_store(experiment)
    with parent_run("study", params={"early": 1, "param_3": "kept"}, tags={"a": "b"}) as parent:
        parent.log_metrics({"loss": 9.0}, step=999)
        with child_run(parent.id, "open", params={"early": 2}) as run:
            run.log_metrics({"loss": 8.0}, step=999)
            go_away()
            log_all(run, "open")
        with child_run(parent.id, "new", params={"early": 3}, tags={"c": "d"}) as run:
            log_all(run, "new")
            run.end("KILLED")
        with pytest.raises(ZeroDivisionError), child_run(parent.id, "broken"):
            1 / 0  # noqa: B018
        sweep_children(parent.id)
        log_all(parent, "parent")
    assert mlflow.active_run() is None
    return parent.id


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, running):
    """What `work` leaves on a server that stays."""
    with stores.tracked(tmp_path_factory.mktemp("undisturbed"), running) as folder:
        work("undisturbed")
        assert not (folder / SPOOL).exists()
        return stores.held(running.address, "undisturbed")


@pytest.mark.usefixtures("folder")
def test_what_is_logged_after_a_server_went_away_for_good_is_all_there_after_a_sync(
    server, undisturbed, caplog, capsys
):
    began = time.monotonic()
    run_id = work("sync", server.kill)
    assert time.monotonic() - began < 60
    assert len(spooled_runs(run_id)) == 4
    assert sum("goes on in rareflow-spool" in line for line in caplog.messages) == 4
    assert not [record for record in caplog.records if record.name.startswith("mlflow")]
    out, said = capsys.readouterr()  # progress only, and that only where a command has switched it on
    assert (out, [line for line in said.splitlines() if "goes on in rareflow-spool" not in line]) == ("", [])
    server.start()
    ended = rareflow("sync")
    assert (ended.code, ended.said) == (0, [])
    assert ended.out == f"Uploaded 4 runs to {server.address}; rareflow-spool is removed.\n"
    assert not Path(SPOOL).exists()
    assert stores.held(server.address, "sync") == undisturbed


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_server_that_is_back_is_written_to_again_by_the_next_run(server):
    prepare_store("back")
    with parent_run("study") as parent:
        server.kill()
        with child_run(parent.id, "away"):
            pass
        server.start()
        with child_run(parent.id, "back"):
            pass
    names = {run.data.tags["mlflow.runName"] for run in Spool(Path(SPOOL)).runs(Spool(Path(SPOOL)).client())}
    assert names == {"away"}
    assert rareflow("sync").out == f"Uploaded 1 run to {server.address}; rareflow-spool is removed.\n"
    held = stores.held(server.address, "back")
    assert {name: run["status"] for name, run in held.items()} == dict.fromkeys(
        ("study", "back", "away"), "FINISHED"
    )


KILLED = """\
import os, signal
from mlflow import MlflowClient
from rareflow.cli import main

def log_artifacts(*args):
    done(*args)
    os.kill(os.getpid(), signal.SIGKILL)

done, MlflowClient.log_artifacts = MlflowClient.log_artifacts, log_artifacts
main(["sync"])
"""


def cut_after(calls, monkeypatch):
    """Have the upload broken off after so many calls that change something, whose answers are lost."""
    left = count(calls - 1, -1)

    def cut(method):
        def call(*args, **options):
            answer = method(*args, **options)
            if next(left) == 0:
                raise KeyboardInterrupt
            return answer

        return call

    for name in (
        "create_run",
        "set_tag",
        "log_batch",
        "log_inputs",
        "log_artifacts",
        "set_terminated",
        "delete_run",
    ):
        monkeypatch.setattr(MlflowClient, name, cut(getattr(MlflowClient, name)))


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_an_upload_that_is_cut_off_again_and_again_goes_on_and_nothing_comes_twice(server, undisturbed):
    work("cut", server.kill)
    server.start()
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for calls in count(1):
        with pytest.MonkeyPatch.context() as patch:
            cut_after(calls, patch)
            ended = rareflow("sync")
        if ended.code == 0:
            break
        assert ended.code == 130, ended.said
    assert calls > 8
    assert stores.held(server.address, "cut") == undisturbed


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_run_that_was_made_although_the_answer_was_lost_is_found_again(server, monkeypatch):
    def lost(*args):
        runs_create(*args)
        server.kill()
        MlflowClient().search_experiments()

    runs_create = runs.create_child
    prepare_store("lost")
    with parent_run("study") as parent:
        monkeypatch.setattr(runs, "create_child", lost)
        with child_run(parent.id, "child") as child:
            child.log_metrics({"kept": 1.0})
    server.start()
    assert rareflow("sync").code == 0
    held = stores.held(server.address, "lost")
    assert held["child"]["metrics"] == {"kept": [(0, 1.0)]}
    assert held["child"]["status"] == "FINISHED"


@pytest.mark.usefixtures("folder")
def test_what_the_server_refuses_is_an_error_and_no_outage():
    prepare_store("refused")
    with parent_run("study") as run, pytest.raises(MlflowException, match="exceed"):
        run.set_tag("k" * 1000, "v")
    assert not Path(SPOOL).exists()


@pytest.mark.slow
def test_a_process_that_dies_with_its_run_in_the_spool_leaves_it_killed(folder, server):
    script = """\
import os, signal, sys
from rareflow.tracking.runs import child_run, parent_run
from rareflow.tracking.store import prepare_store
prepare_store("dies")
with parent_run("study") as run:
    run.log_metrics({"a": 1.0})
    os.killpg(int(sys.argv[1]), signal.SIGKILL)
    run.log_metrics({"b": 2.0})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-W", "ignore", "-c", script, str(server.process.pid)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    server.kill()  # gives the process number back
    server.start()
    assert rareflow("sync").code == 0
    (run,) = stores.held(server.address, "dies").values()
    assert (run["status"], run["ended"]) == ("KILLED", True)
    assert run["metrics"] == {"a": [(0, 1.0)], "b": [(0, 2.0)]}


@pytest.mark.usefixtures("folder")
def test_a_run_that_another_process_has_gone_on_with_since_keeps_what_that_logged(server, monkeypatch):
    generator = fitted()
    prepare_store("newer")
    with parent_run("study") as run:
        server.kill()
        log_or_keep_generator(run, generator, class_rows={"a": 9})
        run.log_metrics({"score": 0.5, "older": 1.0})
        run.set_tag("who", "older")
        run.set_tag("lacking", "older")
        for name in ("report.md", "lacking.md", "folder/report.md", "folder/lacking.md"):
            run.log_text("older", name)
    server.start()
    monkeypatch.setattr(runs, "process_tags", lambda: dict.fromkeys(process_tags(), "9"))
    monkeypatch.setenv("MLFLOW_RUN_ID", run.id)
    with parent_run("study") as again:
        again.log_metrics({"score": 0.75}, step=1)
        log_or_keep_generator(again, generator, class_rows={"a": 77})
        again.set_tag("who", "newer")
        for name in ("report.md", "folder/report.md"):
            again.log_text("newer", name)
        again.end("FAILED")
    ended = MlflowClient().get_run(run.id).info.end_time
    (uri,) = re.findall(r"--model (\S+)", rareflow("sync").out)
    assert load_generator(uri).class_rows == {"a": 9}
    found = MlflowClient().get_run(run.id)
    assert (found.info.status, found.info.end_time) == ("FAILED", ended)
    assert (found.data.tags["who"], found.data.tags["lacking"]) == ("newer", "older")
    assert found.data.metrics | {"score": 0.75, "older": 1.0} == found.data.metrics
    texts = {
        name: mlflow.artifacts.load_text(f"{found.info.artifact_uri}/{name}")
        for name in ("report.md", "lacking.md", "folder/report.md", "folder/lacking.md")
    }
    assert texts == {
        "report.md": "newer",
        "lacking.md": "older",
        "folder/report.md": "newer",
        "folder/lacking.md": "older",
    }


def refused(*words):
    ended = rareflow(*words)
    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.said
    return line


def test_a_server_that_is_down_at_the_start_is_refused_at_once_and_nothing_is_left(folder, server):
    server.kill()
    began = time.monotonic()
    line = refused("tune", "--rows", 600, "--tune-rows", 300)
    assert f"the tracking server '{server.address}' does not answer (ConnectionError); start it, " in line
    assert time.monotonic() - began < 20
    assert list(folder.iterdir()) == []


def test_a_registry_that_is_down_is_refused_before_the_study_and_nothing_is_left(folder, server):
    server.kill()
    os.environ["MLFLOW_REGISTRY_URI"] = server.address
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    line = refused("tune", "--rows", 600, "--tune-rows", 300)
    assert f"the model registry '{server.address}' does not answer or refuses (ConnectionError)" in line
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_a_sync_without_a_spool_is_refused():
    assert "there is no spool 'rareflow-spool', so nothing to upload" in refused("sync")
    assert "there is no spool 'other'" in refused("sync", "--spool", "other")
    Path("other").mkdir()
    Path("other/mlflow.db").write_text("garbage " * 100)
    line = refused("sync", "--spool", "other")
    assert "the spool 'other' cannot be read (file is not a database); give with --spool the folder" in line


def spooled_child(server, experiment):
    """Have a run in the spool, and the server gone."""
    prepare_store(experiment)
    with parent_run("study") as parent:
        server.kill()
        with child_run(parent.id, "child") as run:
            run.log_text("kept", "note.txt")
    return parent.id


def test_a_sync_is_refused_while_the_server_is_away_the_spool_in_use_or_the_server_another_one(
    folder, server, monkeypatch
):
    spooled_child(server, "refused sync")
    assert f"the tracking server '{server.address}' does not answer" in refused("sync")
    place = Spool(Path(SPOOL)).share()
    assert "the spool 'rareflow-spool' is in use; " in refused("sync")
    os.close(place)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/other.db")
    line = refused("sync")
    assert "does not hold the runs that 'rareflow-spool' still has something of (others that" in line
    assert " are uploaded: 0); " in line
    assert f"set MLFLOW_TRACKING_URI to '{server.address}'" in line
    server.start()
    Path(SPOOL).rename("moved")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(None)
    ended = rareflow("sync", "--spool", "moved")
    assert ended.out == f"Uploaded 2 runs to {server.address}; moved is removed.\n"
    held = stores.held(server.address, "refused sync")
    assert list(held["child"]["files"]) == ["note.txt"]


def test_a_sync_that_was_cut_off_when_all_was_uploaded_needs_no_server_to_go_on(folder, server, monkeypatch):
    spooled_child(server, "cut off sync")
    server.start()
    cut_off_a_sync_that_has_uploaded_all(monkeypatch)
    ended = rareflow("sync")
    assert (ended.code, ended.out) == (0, "All runs were uploaded before; rareflow-spool is removed.\n")
    assert not (folder / SPOOL).exists()


@pytest.mark.usefixtures("folder")
def test_a_sync_tells_how_to_use_a_generator_that_one_cut_off_before_has_logged(server, monkeypatch):
    generator = fitted()
    prepare_store("generator")
    with parent_run("train t") as run:
        server.kill()
        assert log_or_keep_generator(run, generator, class_rows={"a": 9}) is None
    server.start()
    cut_off_a_sync_that_has_uploaded_all(monkeypatch)
    uploaded, use = rareflow("sync").out.splitlines()
    assert uploaded == "All runs were uploaded before; rareflow-spool is removed."
    model = next(word for word in use.split() if word.startswith("models:/"))
    assert use == (
        f"Balance a table with the generator of 'train t':  MLFLOW_TRACKING_URI={server.address} "
        f"rareflow augment --data FILE --model {model} --out balanced.parquet"
    )
    mlflow.set_tracking_uri(server.address)
    assert load_generator(model).class_rows == {"a": 9}
    assert "rareflow.spool.model.uri" not in MlflowClient(server.address).get_run(run.id).data.tags


def cut_off_a_sync_that_has_uploaded_all(monkeypatch):
    """Interrupt it before it removes the spool; afterwards MLflow is told no store any more."""
    with monkeypatch.context() as patch:
        patch.setattr("rareflow.workflows.sync.remove", interrupted)
        assert rareflow("sync").code == 130
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(None)


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_points_of_system_metrics_that_were_not_sent_yet_are_kept(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    prepare_store("system")
    with parent_run("study") as run:
        watching = active.run_id_to_system_metrics_monitor[run.id]
        monkeypatch.setattr(watching.mlflow_logger, "_should_flush", lambda: False)
        while len(watching.mlflow_logger.data) < 10:
            time.sleep(0.05)
        server.kill()
    assert run.id not in active.run_id_to_system_metrics_monitor
    server.start()
    assert rareflow("sync").code == 0
    metrics = MlflowClient(server.address).get_run(run.id).data.metrics
    assert [name for name in metrics if name.startswith("system/")]
