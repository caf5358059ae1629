"""Databases that many make at once, that somebody else has locked, or that cannot be written."""

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from sqlalchemy import make_url

from rareflow.databases import make_whole
from rareflow.errors import StoreError
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store
from rareflow.tuning import storage
from rareflow.tuning.study import open_study
from rareflow.workflows.studying.trials import _TrialRun
from tests.workflows.commands import rareflow, workplace

pytestmark = pytest.mark.fault

# All import first and begin together: what they race for is the database.
OPENS = """\
import sys, time
from pathlib import Path
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store
from rareflow.tuning.study import open_study
Path(f"ready-{sys.argv[1]}").touch()
while not Path("go").exists():
    time.sleep(0.01)
study = open_study("sqlite:///optuna.db", "study", seed=0)
prepare_store("rare")
with parent_run(f"run-{sys.argv[1]}", params={"n": sys.argv[1]}):
    study.add_trial(__import__("optuna").create_trial(value=float(sys.argv[1])))
"""


@pytest.mark.slow
def test_eight_processes_started_at_once_on_a_fresh_store_all_find_it_whole(tmp_path):
    with workplace(tmp_path):
        Path("opens.py").write_text(OPENS)
        started = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "opens.py", str(i)], stderr=subprocess.PIPE, text=True
            )
            for i in range(8)
        ]
        while len(list(tmp_path.glob("ready-*"))) < 8:
            assert all(process.poll() is None for process in started), [p.poll() for p in started]
            time.sleep(0.05)
        Path("go").touch()
        said = [process.communicate()[1] for process in started]
        assert [process.returncode for process in started] == [0] * 8, said
        client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
        runs = client.search_runs([client.get_experiment_by_name("rare").experiment_id])
        assert {run.info.status for run in runs} == {"FINISHED"}
        assert sorted(run.data.params["n"] for run in runs) == [str(i) for i in range(8)]
        study = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path}/optuna.db")
        assert sorted(trial.value for trial in study.trials) == [float(i) for i in range(8)]
        assert not list(tmp_path.glob(".*")), "no scratch is left"


def test_of_two_that_make_a_database_the_first_ones_stays(tmp_path):
    file = tmp_path / "x.db"

    def make(uri):
        scratch = Path(make_url(uri).database)
        assert scratch != file
        scratch.write_text("ours")
        file.write_text("theirs, who were first")

    make_whole(f"sqlite:///{file}?timeout=9", make)
    assert file.read_text() == "theirs, who were first"
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


def test_a_database_whose_making_is_broken_off_does_not_appear(tmp_path):
    def make(_uri):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_whole(f"sqlite:///{tmp_path}/x.db", make)
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_links_a_database_is_renamed_into_place(tmp_path, monkeypatch):
    def no_links(*_paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    make_whole(f"sqlite:///{tmp_path}/x.db", lambda uri: Path(make_url(uri).database).write_text("whole"))
    assert (tmp_path / "x.db").read_text() == "whole"
    assert len(list(tmp_path.iterdir())) == 1


class Locked:
    """Another program that holds a database's write lock for some seconds."""

    def __init__(self, file, seconds):
        self.connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.connection.execute("BEGIN IMMEDIATE")
        self.timer = threading.Timer(seconds, self.connection.rollback)
        self.timer.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.timer.join()
        self.connection.close()


def test_a_store_that_stays_locked_is_refused_in_one_line_within_seconds(folder):
    began = time.monotonic()
    with Locked(folder / "mlflow.db", 60), pytest.raises(StoreError, match="database is locked") as caught:
        prepare_store("rare")
    assert time.monotonic() - began < 15
    assert "cannot be opened for writing (database is locked); mend that, or unset MLFLOW_" in str(
        caught.value
    )


def test_what_is_logged_while_the_stores_are_locked_for_seconds_is_there_afterwards(folder):
    prepare_store("rare")
    study = open_study("sqlite:///optuna.db", "study", seed=0)
    with parent_run("study") as run:
        with Locked(folder / "mlflow.db", 7):
            run.log_metrics({"kept": 1.0})
        with Locked(folder / "optuna.db", 7):
            study.add_trial(optuna.create_trial(value=1.0))
    assert MlflowClient().get_run(run.id).data.metrics["kept"] == 1.0
    assert [trial.value for trial in study.trials] == [1.0]


def test_a_study_whose_database_is_locked_for_too_long_ends_in_one_line(folder, monkeypatch):
    monkeypatch.setitem(storage._FILE, "connect_args", {"timeout": 1})
    on_repeat = _TrialRun.on_repeat
    with ExitStack() as held, monkeypatch.context() as patch:

        def lock(self, repeat, found):
            on_repeat(self, repeat, found)
            held.enter_context(Locked(folder / "optuna.db", 60))

        patch.setattr(_TrialRun, "on_repeat", lock)
        ended = rareflow("tune", "--rows", 600, "--n-trials", 2, "--repeats", 1, "--tune-rows", 300)
    assert ended.code == 2, ended.said
    assert "'sqlite:///optuna.db' cannot be used (database is locked)" in ended.said[-1]
    assert "RUNNING" not in {run.info.status for run in MlflowClient().search_runs(["1"])}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
@pytest.mark.usefixtures("folder")
def test_a_store_in_a_folder_that_cannot_be_written_is_refused_at_once():
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"'sqlite:////proc/mlflow\.db' cannot be opened for writing"):
        prepare_store("rare", uri="sqlite:////proc/mlflow.db")
    with pytest.raises(StoreError, match=r"the study's storage 'sqlite:////proc/o\.db' cannot be used"):
        open_study("sqlite:////proc/o.db", "study", seed=0)
    assert time.monotonic() - began < 10


def test_a_password_reaches_neither_screen_nor_run_nor_traceback(folder, monkeypatch):
    from rareflow.workflows import evaluate  # noqa: PLC0415

    def broken(*_args, **_options):
        prepare_store("rare")
        with parent_run("broken", params={"at": "https://bob:s3cret@host/x"}) as run:
            run.set_tag("at", "postgresql://bob:s3cret@host/db?sslpassword=s3cret")
            raise OSError("API request to https://bob:s3cret@host/x failed")

    monkeypatch.setattr(evaluate, "run", broken)
    plain, debug = rareflow("evaluate"), rareflow("evaluate", "--debug")
    assert plain.said == [
        "rareflow: OSError: API request to https://***@host/x failed (run again with --debug to see where)"
    ]
    assert debug.code == 1
    assert debug.said[0].startswith("Traceback")
    assert "s3cret" not in str([plain, debug])
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    for run in client.search_runs(["1"]):
        assert run.data.params["at"] == "https://***@host/x"
        assert run.data.tags["at"] == "postgresql://***@host/db?***"
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in written].count("error.txt") == 2
    assert not [path for path in written if b"s3cret" in path.read_bytes()]
