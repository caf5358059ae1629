import json
import math
import multiprocessing
import os
import shutil
import subprocess
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.tracking import active
from rareflow.tracking.environment import git_commit, versions
from rareflow.tracking.leftovers import sweep_children
from rareflow.tracking.runs import child_run, parent_run
from rareflow.tracking.store import prepare_store

COMMIT = "mlflow.source.git.commit"


@pytest.fixture
def client(store):
    return MlflowClient(store)


@pytest.fixture
def parent_id(client):
    return client.create_run("1", tags={COMMIT: "abc", "mlflow.user": "eve"}).info.run_id


def status(client, run):
    return client.get_run(run.id).info.status


def children(client, parent_id):
    return client.search_runs(["1"], filter_string=f"tags.`mlflow.parentRunId` = '{parent_id}'")


def artifact(client, run, name):
    return Path(client.download_artifacts(run.id, name)).read_text(encoding="utf-8")


def curve(client, run, key):
    return [(point.step, point.value) for point in client.get_metric_history(run.id, key)]


def parent(_parent_id):
    return parent_run("study")


def child(parent_id):
    return child_run(parent_id, "trial-0000")


either = pytest.mark.parametrize("start", [parent, child])


@either
def test_a_run_that_comes_to_its_end_is_finished(start, client, parent_id):
    with start(parent_id) as run:
        assert status(client, run) == "RUNNING"
    assert status(client, run) == "FINISHED"
    assert client.list_artifacts(run.id) == []


@either
def test_an_error_fails_the_run_keeps_its_traceback_and_passes_on(start, client, parent_id):
    def broken():
        with start(parent_id) as run:
            runs.append(run)
            raise ZeroDivisionError("loss of nothing")

    runs = []
    with pytest.raises(ZeroDivisionError, match="loss of nothing"):
        broken()
    assert status(client, runs[0]) == "FAILED"
    text = artifact(client, runs[0], "error.txt")
    assert text.startswith("Traceback")
    assert "in broken" in text
    assert "ZeroDivisionError: loss of nothing" in text


@either
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_run_that_somebody_stops_is_killed(start, stop, client, parent_id):
    with pytest.raises(stop), start(parent_id) as run:
        raise stop
    assert status(client, run) == "KILLED"
    assert client.list_artifacts(run.id) == []


@either
def test_the_first_end_stands_whatever_follows(start, client, parent_id):
    def pruned():
        with start(parent_id) as run:
            runs.append(run)
            run.end("KILLED")
            run.end("FINISHED")
            raise ValueError("pruned")

    runs = []
    with pytest.raises(ValueError, match="pruned"):
        pruned()
    assert status(client, runs[0]) == "KILLED"
    assert client.list_artifacts(runs[0].id) == []


def test_a_parent_whose_parameters_are_refused_is_failed_and_no_longer_active(client):
    with pytest.raises(mlflow.MlflowException, match="250"), parent_run("s", params={"a" * 251: 1}):
        pass
    assert mlflow.active_run() is None
    assert [run.info.status for run in client.search_runs(["1"])] == ["FAILED"]


def test_a_parent_is_mlflows_active_run_and_holds_name_parameters_versions_and_commit(client):
    with parent_run("study", params={"seed": 7, "label": None}, tags={"data": "gas"}) as run:
        assert mlflow.active_run().info.run_id == run.id
    assert mlflow.active_run() is None
    held = client.get_run(run.id)
    assert held.info.run_name == "study"
    assert held.info.experiment_id == "1"
    assert held.data.params == {"seed": "7", "label": "None"}
    assert held.data.tags["data"] == "gas"
    assert f"mlflow {mlflow.__version__}" in held.data.tags["rareflow.versions"].split(", ")
    assert held.data.tags.get(COMMIT) == git_commit()


def test_the_commit_is_that_of_the_working_folder_where_rareflow_is_no_checkout(folder, monkeypatch):
    monkeypatch.setattr(
        "rareflow.tracking.environment.__file__", str(folder / "installed" / "environment.py")
    )
    assert git_commit() is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert git_commit() == head.stdout.strip()


def test_versions_name_only_what_is_installed(monkeypatch):
    assert set(versions()) >= {"python", "rareflow", "mlflow", "torch"}
    monkeypatch.setattr("rareflow.tracking.environment._PACKAGES", ("no-such-package",))
    assert set(versions()) == {"python"}


def test_under_mlflow_run_the_parent_joins_and_logs_no_key_twice(client):
    joined = client.create_run("0", tags={COMMIT: "abc"}, run_name="by mlflow run").info.run_id
    client.log_param(joined, "n_trials", "30")
    os.environ["MLFLOW_RUN_ID"] = joined
    mlflow.tracking.fluent._active_experiment_id = None
    prepare_store("rare")
    with parent_run("study", params={"n_trials": 5, "seed": 7}) as run:
        assert run.id == joined
        assert "MLFLOW_RUN_ID" not in os.environ, "workers would inherit it"
    held = client.get_run(joined)
    assert held.info.status == "FINISHED"
    assert held.info.run_name == "by mlflow run"
    assert held.data.params == {"n_trials": "30", "seed": "7"}
    assert held.data.tags[COMMIT] == "abc"
    assert client.search_runs(["1"]) == []


def test_the_parent_logs_system_metrics_unless_the_user_forbids_it(client):
    os.environ["MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"] = "0.05"
    seen = []
    for switch in (None, "false"):
        if switch is not None:
            os.environ["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = switch
        with parent_run("study") as run:
            mlflow.log_metric("own", 1.0)
            for _ in range(100):
                if switch is not None or len(client.get_run(run.id).data.metrics) > 1:
                    break
                multiprocessing.Event().wait(0.05)
        seen.append(any(key.startswith("system/") for key in client.get_run(run.id).data.metrics))
    assert seen == [True, False]


@pytest.mark.fault
def test_a_run_is_killed_by_a_stop_that_a_library_calls_an_error(client):
    with suppress(RuntimeError), parent_run("study") as run:
        raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()
    assert status(client, run) == "KILLED"
    assert client.list_artifacts(run.id) == []


@pytest.mark.fault
def test_a_stop_does_not_wait_for_a_thread_that_waits_for_a_lock_left_locked(client, monkeypatch):
    freed = threading.Event()
    monkeypatch.setattr(SystemMetricsMonitor, "monitor", lambda _: freed.wait(60))
    monkeypatch.setattr(active, "_PATIENCE_S", 0.1)
    with suppress(KeyboardInterrupt), parent_run("study") as run:
        watching = active.run_id_to_system_metrics_monitor[run.id]._process
        raise KeyboardInterrupt
    assert watching.is_alive()
    assert client.get_run(run.id).info.status == "KILLED"
    assert run.id not in active.run_id_to_system_metrics_monitor
    freed.set()


def test_a_child_is_nested_named_and_inherits_its_parents_source(client, parent_id):
    with child_run(parent_id, "trial-0007", params={"latent_dim": 8}, tags={"number": "7"}) as run:
        pass
    (found,) = children(client, parent_id)
    assert found.info.run_id == run.id
    assert found.info.run_name == "trial-0007"
    assert found.data.params == {"latent_dim": "8"}
    assert found.data.tags["number"] == "7"
    assert found.data.tags[COMMIT] == "abc"
    assert found.data.tags["mlflow.user"] == "eve"
    assert mlflow.active_run() is None


def test_more_parameters_than_one_call_takes_all_arrive(client, parent_id):
    params = {f"p{number}": str(number) for number in range(250)}
    with child_run(parent_id, "trial", params=params) as run:
        pass
    assert client.get_run(run.id).data.params == params


def test_parameters_named_after_classes_are_logged_whatever_the_class_is_called(client, parent_id):
    classes = ["Web Attack \u2013 XSS", "a?", "<10s", ">10s", "/login", "../up", "x//y/", "."]
    params = {f"best/{name}": number for number, name in enumerate(classes)}
    with child_run(parent_id, "trial", params=params) as run:
        run.log_params({"best/a?": 2000})
    names = ["Web Attack _ XSS", "a_", "_10s", "_10s_", "_/login", "_/up", "x/_/y/_", "_"]
    assert client.get_run(run.id).data.params == {
        f"best/{name}": str(number) for number, name in enumerate(names)
    }


def test_metrics_of_classes_whose_names_mlflow_cannot_tell_apart_are_all_logged(client, parent_id):
    with child_run(parent_id, "trial") as run:
        run.log_metrics({"f1/web+xss": 0.1, "f1/web*xss": 0.9})
        run.log_curve([{"step": step, "loss+": step + 1.0, "loss*": step + 2.0} for step in range(2)])
    metrics = client.get_run(run.id).data.metrics
    assert metrics == {"f1/web_xss": 0.1, "f1/web_xss_": 0.9, "loss_": 2.0, "loss__": 3.0}
    assert curve(client, run, "loss__") == [(0, 2.0), (1, 3.0)]


def test_a_curve_is_logged_point_for_point(client, parent_id):
    history = [{"step": 50 * row, "critic": -0.1 * row, "kl": row / 3} for row in range(7)]
    with child_run(parent_id, "trial") as run:
        run.log_curve(history)
    assert curve(client, run, "critic") == [(50 * row, -0.1 * row) for row in range(7)]
    assert curve(client, run, "kl") == [(50 * row, row / 3) for row in range(7)]
    assert set(client.get_run(run.id).data.metrics) == {"critic", "kl"}


def test_a_long_curve_keeps_its_ends_and_at_most_200_of_its_points(client, parent_id):
    keys = ["critic", "generator", "gradient_penalty", "reconstruction", "kl", "sixth"]
    history = [{"step": row, **{key: float(row + i) for i, key in enumerate(keys)}} for row in range(3001)]
    with child_run(parent_id, "trial") as run:
        run.log_curve(history)
    for i, key in enumerate(keys):
        points = curve(client, run, key)
        steps = [step for step, _ in points]
        assert len(points) == 200
        assert (steps[0], steps[-1]) == (0, 3000)
        assert max(np.diff(steps)) <= 16
        assert all(value == step + i for step, value in points)


def test_an_empty_history_logs_nothing(client, parent_id):
    with child_run(parent_id, "trial") as run:
        run.log_curve([])
    assert client.get_run(run.id).data.metrics == {}


def test_a_value_that_is_not_finite_is_left_out_and_never_a_zero(client, parent_id):
    with child_run(parent_id, "trial") as run:
        run.log_metrics({"f1": 0.5, "recall": math.nan, "loss": math.inf})
        run.log_curve([{"step": 0, "critic": 1.0}, {"step": 1, "critic": math.nan}])
    assert client.get_run(run.id).data.metrics == {"f1": 0.5, "critic": 1.0}
    assert curve(client, run, "critic") == [(0, 1.0)]


def test_metrics_named_after_classes_are_logged_whatever_the_class_is_called(client, parent_id):
    with child_run(parent_id, "trial") as run:
        run.log_metrics(
            {"f1/Web Attack \u2013 XSS": 0.25, "f1/smurf.": 1.0, "f1/a:b?": 0.5, "f1//": 1.0}, step=3
        )
    assert client.get_run(run.id).data.metrics == {
        "f1/Web Attack _ XSS": 0.25,
        "f1/smurf.": 1.0,
        "f1/a_b_": 0.5,
        "f1/_/_": 1.0,
    }
    assert curve(client, run, "f1/smurf.") == [(3, 1.0)]


def test_more_metrics_than_one_call_takes_all_arrive(client, parent_id):
    metrics = {f"m{number}": float(number) for number in range(1500)}
    with child_run(parent_id, "trial") as run:
        run.log_metrics(metrics)
    assert client.get_run(run.id).data.metrics == metrics


def test_files_folders_texts_and_tags_come_back(client, parent_id, folder):
    made = folder / "made"
    made.mkdir()
    (made / "a.txt").write_text("a")
    (made / "b.txt").write_text("b")
    with child_run(parent_id, "trial") as run:
        run.log_file(made / "a.txt")
        run.log_folder(made, "model")
        run.log_text("\u00e9", "note.txt")
        run.set_tag("winner", True)
    assert artifact(client, run, "a.txt") == "a"
    assert artifact(client, run, "model/b.txt") == "b"
    assert artifact(client, run, "note.txt") == "\u00e9"
    assert client.get_run(run.id).data.tags["winner"] == "True"


def test_figures_are_pictures_or_pages_that_need_no_network(client, parent_id):
    with child_run(parent_id, "trial") as run:
        run.log_figure(Figure(figsize=(1, 1)), "plots/before.png")
        run.log_figure(go.Figure(go.Scatter(x=[0, 1], y=[2, 3])), "plots/history.html")
    picture = Path(client.download_artifacts(run.id, "plots/before.png")).read_bytes()
    assert picture.startswith(b"\x89PNG")
    page = artifact(client, run, "plots/history.html")
    assert "<html>" in page
    assert '<script src="http' not in page
    assert len(page) > 1_000_000, "plotly.js is not inside"


def test_a_dataset_is_logged_with_our_digest_its_schema_and_its_size(client):
    frame = pd.DataFrame(
        {
            "length": [1, 2, 3],
            "pressure": [0.5, math.nan, 2.0],
            "flag": [True, False, True],
            "service": ["http", None, "smtp"],
            "zone": pd.Categorical([1, 2, 1]),
            "result": ["Normal", "DOS", "DOS"],
        }
    )
    table = Table(frame, Schema.infer(frame.drop(columns="result")), "result", "gas")
    with parent_run("study") as run:
        run.log_table(table, context="training", source="day-*.csv")
    (logged,) = client.get_run(run.id).inputs.dataset_inputs
    assert logged.dataset.name == "gas"
    assert logged.dataset.digest == table.digest[:36]
    assert {tag.key: tag.value for tag in logged.tags} == {
        "mlflow.data.context": "training",
        "targets": "result",
    }
    assert json.loads(logged.dataset.profile) == {"num_rows": 3, "num_elements": 18}
    columns = json.loads(logged.dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"], column["required"]) for column in columns] == [
        ("length", "long", True),
        ("pressure", "double", False),
        ("flag", "boolean", True),
        ("service", "string", False),
        ("zone", "string", True),
        ("result", "string", True),
    ]
    assert mlflow.data.get_source(logged.dataset).to_dict() == {"uri": "day-*.csv"}


def test_the_sweep_kills_what_still_runs_under_this_parent_alone(client, parent_id):
    other = client.create_run("1").info.run_id
    tags = {"mlflow.parentRunId": parent_id}
    left = [client.create_run("1", tags=tags).info.run_id for _ in range(3)]
    stranger = client.create_run("1", tags={"mlflow.parentRunId": other}).info.run_id
    with child_run(parent_id, "done") as done:
        pass
    assert sweep_children(parent_id) == 3
    assert sweep_children(parent_id) == 0
    assert [client.get_run(run_id).info.status for run_id in left] == ["KILLED"] * 3
    assert status(client, done) == "FINISHED"
    assert client.get_run(stranger).info.status == "RUNNING"
    assert client.get_run(parent_id).info.status == "RUNNING"


def work(number, parent_id, uri, barrier):
    """A trial as a worker process does it: nothing but the parent's id and the store is handed over."""
    barrier.wait(timeout=120)
    with child_run(parent_id, f"trial-{number:04d}", params={"number": number}, tracking_uri=uri) as run:
        run.log_curve([{"step": step, "critic": float(number)} for step in range(50)])
        run.log_metrics({"macro_f1": number / 10})
        run.log_text(str(number), "note.txt")
    return run.id


def test_spawned_workers_log_their_children_at_the_same_time(folder, empty_database):
    shutil.copy(empty_database, folder / "mlflow.db")
    uri = prepare_store("rare")
    client = MlflowClient(uri)
    with parent_run("study") as study:
        context = multiprocessing.get_context("spawn")
        with context.Manager() as manager, ProcessPoolExecutor(4, mp_context=context) as pool:
            barrier = manager.Barrier(4)
            trials = [pool.submit(work, number, study.id, uri, barrier) for number in range(8)]
            ids = {trial.result(timeout=120) for trial in trials}
    found = children(client, study.id)
    assert {run.info.run_id for run in found} == ids
    assert {run.info.status for run in found} == {"FINISHED"}
    assert sorted(run.data.metrics["macro_f1"] for run in found) == [number / 10 for number in range(8)]
    for run in found:
        assert len(client.get_metric_history(run.info.run_id, "critic")) == 50
