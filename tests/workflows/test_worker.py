"""What a worker learns from a study, and what it refuses before any work."""

import os
import shutil
from pathlib import Path

import mlflow
import numpy as np
import optuna
import pandas as pd
import pytest
from mlflow import MlflowClient

from rareflow.errors import DivergedError
from rareflow.tuning import objective, space
from rareflow.tuning.study import open_study
from rareflow.workflows.studying.post import Post
from rareflow.workflows.tune import StudySettings
from rareflow.workflows.worker import WorkerSettings
from tests.workflows.commands import rareflow, short_trainings, workplace

TUNE = ("tune", "--label", "kind", "--repeats", 1, "--tune-rows", 100, "--n-trials", 2)


def table(seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"x": rng.normal(size=90), "y": rng.normal(size=90), "kind": ["a", "b", "b"] * 30})


@pytest.fixture(scope="module")
def place(tmp_path_factory, empty_database):
    """A study of two trials, which are done, that tells its workers of two more."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copy(empty_database, folder / "mlflow.db")
    with workplace(folder), short_trainings():
        for name, seed in (("table.csv", 0), ("other.csv", 1)):
            table(seed).to_csv(name, index=False)
        ended = rareflow(*TUNE, "--data", "table.csv")
        assert ended.code == 0, ended.said
    return folder


@pytest.fixture
def elsewhere(tmp_path, place):
    """Another folder, and the study's storage copied for one test, as seen from there."""
    shutil.copy(place / "optuna.db", tmp_path / "optuna.db")
    with workplace(tmp_path), short_trainings():
        yield f"sqlite:///{tmp_path}/optuna.db"


def study_of(storage):
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def tell(storage, **changes):
    """Change what a study tells its workers."""
    study = study_of(storage)
    study.set_user_attr("briefing", study.user_attrs["briefing"] | changes)
    return study


def refused(*words):
    before = sorted(path.name for path in Path.cwd().iterdir())
    ended = rareflow("worker", *words)
    assert ended.code == 2
    (line,) = ended.said
    assert sorted(path.name for path in Path.cwd().iterdir()) == before, "nothing is made"
    return line


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_worker_learns_all_but_the_storage_from_the_study_and_its_trials_are_the_runs_children(
    jobs, elsewhere, place
):
    run = tell(elsewhere, n_trials=4).user_attrs["briefing"]["runs"][-1]
    client = MlflowClient(f"sqlite:///{place}/mlflow.db")
    children = f"tags.`mlflow.parentRunId` = '{run}'"
    before = len(client.search_runs(["1"], children))
    ended = rareflow("worker", "--storage", elsewhere, "--jobs", jobs)
    assert ended.code == 0, ended.said
    done = len(study_of(elsewhere).trials)
    assert ended.out == f"Study {study_of(elsewhere).study_name} has all its trials: {done}.\n"
    assert 4 <= done <= 3 + jobs
    found = client.search_runs(["1"], children)
    assert len(found) - before == done - 2
    assert {each.info.status for each in found} == {"FINISHED"}
    assert not Path("mlflow.db").exists()


def test_a_worker_whose_trials_fail_one_after_the_other_gives_up(elsewhere, monkeypatch):
    def diverge(*_arguments, **_options):
        raise DivergedError("training diverged")

    name = tell(elsewhere, n_trials=4).study_name
    monkeypatch.setattr(objective, "fit_together", diverge)
    ended = rareflow("worker", "--storage", elsewhere)
    assert ended.code == 2
    assert ended.said[0] == (
        f"rareflow: this worker gave up at 2 of 4 trials of study {name!r}, after failures in a row; their "
        "runs in MLflow say why"
    )


def test_a_table_that_lies_elsewhere_on_this_machine_is_the_same_table(elsewhere, place):
    tell(elsewhere, n_trials=3)
    shutil.copy(place / "table.csv", "moved.csv")
    os.environ["RAREFLOW_STORAGE"] = elsewhere
    ended = rareflow("worker", "--data", "moved.csv")
    assert ended.code == 0, ended.said
    assert len(study_of(elsewhere).trials) == 3


def test_another_table_is_refused(elsewhere, place):
    line = refused("--storage", elsewhere, "--data", str(place / "other.csv"))
    assert "the table here is another one than that of study 'table-" in line
    assert "give with --data the file that `rareflow tune` read" in line


def test_another_search_space_is_refused(elsewhere, monkeypatch):
    monkeypatch.setitem(space.KNOBS, "n_critic", lambda trial, name: trial.suggest_int(name, 1, 6))
    assert "has the search space of another version of rareflow" in refused("--storage", elsewhere)


def test_a_study_that_is_not_there_is_refused_with_those_that_are(elsewhere):
    held = study_of(elsewhere).study_name
    line = refused("--storage", elsewhere, "--study-name", "nope")
    assert (
        f"holds no study --study-name 'nope'; it holds '{held}'; `rareflow tune` with this --storage" in line
    )
    open_study(elsewhere, "another", seed=0)
    line = refused("--storage", elsewhere)
    assert f"holds not one study alone, so --study-name is needed; it holds 'another', '{held}'" in line
    assert "is not open to workers of this version" in refused(
        "--storage", elsewhere, "--study-name", "another"
    )


def test_a_study_that_tells_what_this_version_does_not_know_is_refused(elsewhere):
    tell(elsewhere, colour="blue")
    assert "is not open to workers of this version of rareflow; `rareflow tune`" in refused(
        "--storage", elsewhere
    )


@pytest.mark.usefixtures("elsewhere")
def test_a_storage_file_that_is_not_here_is_refused_and_not_made():
    line = refused("--storage", "sqlite:///nowhere.db")
    assert "there is no --storage 'sqlite:///nowhere.db' here" in line
    assert "such as postgresql+psycopg://host/name" in line


def test_a_tracking_store_that_cannot_be_reached_from_here_is_refused(elsewhere, empty_database):
    gone = f"sqlite:///{Path.cwd()}/gone/mlflow.db"
    tell(elsewhere, tracking=gone)
    assert f"{gone!r}, a file that is not on this machine" in refused("--storage", elsewhere)
    tell(elsewhere, tracking="postgresql://***@host/mlflow")
    line = refused("--storage", elsewhere)
    assert "tracked in 'postgresql://***@host/mlflow', whose secrets it does not tell; set MLFLOW_T" in line
    shutil.copy(empty_database, "mine.db")
    mlflow.set_tracking_uri(f"sqlite:///{Path.cwd()}/mine.db")
    line = refused("--storage", elsewhere)
    assert "mine.db' does not hold the study's run" in line
    assert "set MLFLOW_TRACKING_URI to that" in line


def test_no_password_is_shown_with_settings_or_posts():
    address = "postgresql+psycopg://me:secret@host/db"
    worker = WorkerSettings(address, "", "", jobs=1, n_threads=1, device="cpu")
    study = StudySettings(2, 1, 100, 1, address, "", "local", "")
    shown = [Post(address, "s", 2, address, ("r",)), worker, study]
    assert "secret" not in repr(shown)
