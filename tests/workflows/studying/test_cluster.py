"""Workers that a Dask cluster starts, of a scheduler and a worker with two processes."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from rareflow.errors import StoreError
from rareflow.workflows.studying import briefing, cluster
from tests.workflows.clusters import dask, dask_cluster
from tests.workflows.commands import rareflow, workplace
from tests.workflows.servers import free_port

pytestmark = pytest.mark.fault

TUNE = ("tune", "--data", "even.csv", "--label", "kind", "--repeats", "1", "--tune-rows", "60", "--jobs", "2")


@pytest.fixture
def folder(tmp_path, empty_database):
    """A current folder with an MLflow store, and a table that lacks no rows: its trials train nothing."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    rng = np.random.default_rng(0)
    even = pd.DataFrame({"x": rng.normal(size=80), "y": rng.normal(size=80), "kind": ["a", "b"] * 40})
    even.to_csv(tmp_path / "even.csv", index=False)
    with workplace(tmp_path):
        yield tmp_path


@pytest.fixture
def scheduler(folder):
    """The address of a scheduler that has two workers of one thread, started in the test's folder."""
    assert folder == Path.cwd()
    with dask_cluster(2) as address:
        yield address


def workers():
    """The processes of `rareflow worker` that this test's folder holds."""
    here = str(Path.cwd())
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if words[1:4] == ["-m", "rareflow", "worker"] and process.info["cwd"] == here:
            found.append(process)
    return found


def outcome(folder):
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    runs = client.search_runs([found.experiment_id for found in client.search_experiments()])
    return {run.info.run_name: run.info.status for run in runs}


def test_tune_has_its_trials_run_on_the_cluster(scheduler, folder):
    ended = rareflow(*TUNE, "--n-trials", 4, "--launcher", "dask", "--scheduler", scheduler)
    assert ended.code == 0, ended.said
    assert sum(" ended with exit code 0: Study even-" in line for line in ended.progress) == 2, ended.progress
    assert not any("trial-0000" in line for line in ended.progress), "no trial was run here"
    storage = f"sqlite:///{folder}/optuna.db"
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert len(trials) in {4, 5}
    assert set(outcome(folder).values()) == {"FINISHED"}
    assert len(outcome(folder)) == len(trials) + 1


@pytest.mark.slow
def test_what_stops_tune_stops_its_workers_on_the_cluster_and_closes_their_runs(scheduler, folder):
    command = [sys.executable, "-m", "rareflow", *TUNE, "--n-trials", "5000"]
    with Path("tune.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--launcher", "dask", "--scheduler", scheduler], stdout=log, stderr=log
        )
    try:
        while list(outcome(folder).values()).count("RUNNING") < 3:
            assert process.poll() is None, Path("tune.log").read_text()
            time.sleep(0.1)
        assert len(workers()) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 130, Path("tune.log").read_text()
    finally:
        process.kill()
        process.wait()
    assert workers() == []
    assert "RUNNING" not in outcome(folder).values()
    assert outcome(folder)["tune even"] == "KILLED"


@pytest.mark.slow
def test_where_no_worker_can_work_tune_ends_with_what_one_of_them_said(scheduler, folder, monkeypatch):
    monkeypatch.setattr(briefing, "without_secrets", lambda _: "postgresql://***@host/mlflow")
    ended = rareflow(*TUNE, "--launcher", "dask", "--scheduler", scheduler)
    assert ended.code == 2
    (line,) = ended.said
    assert line.startswith(f"rareflow: no worker on the Dask cluster {scheduler} came to its end; one on ")
    assert "said: rareflow: the work is tracked in 'postgresql://***@host/mlflow', whose secrets" in line
    assert outcome(folder) == {"tune even": "FAILED"}


def test_a_scheduler_that_does_not_answer_is_refused_before_anything_is_written(folder, monkeypatch):
    monkeypatch.setattr("rareflow.workflows.cluster._ANSWER_S", 0.5)
    before = set(folder.iterdir())
    address = f"tcp://127.0.0.1:{free_port()}"
    ended = rareflow(*TUNE, "--launcher", "dask", "--scheduler", address)
    assert ended.code == 2
    (line,) = ended.said
    assert line.startswith(f"rareflow: no Dask scheduler answers at --scheduler {address!r}; start `dask sch")
    assert set(folder.iterdir()) == before


def test_without_dask_the_extra_is_named(folder, monkeypatch):
    assert folder
    monkeypatch.setitem(sys.modules, "distributed", None)
    ended = rareflow(*TUNE, "--launcher", "dask", "--scheduler", "tcp://127.0.0.1:1")
    assert (ended.code, ended.said) == (
        2,
        [
            "rareflow: --launcher dask needs the Python package 'distributed'; pip install "
            "'rareflow[distributed]'"
        ],
    )


class Told:
    """An event of Dask's that is set once it has been asked after so many times."""

    def __init__(self, times):
        self.left = times

    def is_set(self):
        self.left -= 1
        return self.left < 0


ORDER = cluster._Order("sqlite:///study.db", "study", 1, "cpu", "stop")


def test_a_worker_that_does_not_heed_the_stop_is_killed(folder, monkeypatch):
    deaf = folder / "deaf"
    deaf.write_text("#!/bin/sh\ntrap '' TERM\necho deaf\nexec sleep 60\n")
    deaf.chmod(0o755)
    monkeypatch.setattr(cluster, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(sys, "executable", str(deaf))
    monkeypatch.setattr("distributed.Event", lambda _: Told(2))
    ended = cluster._serve(ORDER)
    assert (ended.code, ended.said) == (-signal.SIGKILL, "deaf")


def test_a_worker_whose_turn_comes_after_the_stop_is_not_started(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr("distributed.Event", lambda _: Told(0))
    assert cluster._serve(ORDER).code == 0


def test_workers_that_end_too_slowly_do_not_hide_what_stopped_the_study(scheduler, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    def too_slow(*_, **__):
        raise TimeoutError

    monkeypatch.setattr(cluster, "_follow", stopped)
    monkeypatch.setattr("distributed.wait", too_slow)
    post = SimpleNamespace(storage="", study_name="", n_trials=1)
    with pytest.raises(KeyboardInterrupt):
        cluster.work_on_cluster(post, scheduler=scheduler, jobs=1, n_threads=1, device="cpu", done=lambda: 0)


@pytest.mark.parametrize(
    ("stopped_by", "ends_with", "says"),
    [
        (None, StoreError, "the Dask cluster {} was lost ("),
        (KeyboardInterrupt, KeyboardInterrupt, ""),
        (SystemExit(130), SystemExit, "130"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_scheduler_that_goes_away_in_mid_work_is_one_line_and_hides_nothing_that_stopped_the_study(
    stopped_by, ends_with, says, monkeypatch
):
    follow, port = cluster._follow, free_port()
    address = f"tcp://127.0.0.1:{port}"

    def lost(*words):
        process.kill()
        process.wait()
        if stopped_by:
            raise stopped_by
        follow(*words)

    monkeypatch.setattr(cluster, "_follow", lost)
    post = SimpleNamespace(storage="", study_name="", n_trials=1)
    how = {"scheduler": address, "jobs": 2, "n_threads": 1, "device": "cpu", "done": lambda: 0}
    with dask("scheduler", "--host", "127.0.0.1", "--port", port) as process:
        with pytest.raises(ends_with) as caught:
            cluster.work_on_cluster(post, **how)
        assert str(caught.value).startswith(says.format(address))
        if not stopped_by:
            assert str(caught.value).endswith("; mend it and run the same command again")


def test_an_order_shows_no_password():
    order = cluster._Order("postgresql+psycopg://me:secret@host/db", "study", 1, "cpu", "stop")
    assert "secret" not in repr(order)
