"""Workers of three hosts, one killed, one stopped in mid-trial, on PostgreSQL and an MLflow server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from rareflow.tuning.space import Candidate
from rareflow.tuning.study import find_study
from tests.workflows import servers
from tests.workflows.commands import rareflow, short_trainings, workplace

SECRET = "pass:w0rd@%"  # noqa: S105
N_TRIALS = 5
SIZE = ("--rows", 600, "--repeats", 1, "--tune-rows", 300)

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(
        servers.POSTGRESQL is None,
        reason="PostgreSQL is not installed in /usr/lib/postgresql; apt-get install postgresql",
    ),
]


def start(host, *words, gate):
    """Start a command of a host, held in its first trial until the gate is there."""
    command = [sys.executable, "-u", str(Path(__file__).with_name("held.py")), *map(str, words)]
    with Path(f"{host}.log").open("w") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | {"HOST": host, "GATE": gate}
        )


def wait(process, host, ready):
    for _ in range(3000):
        assert process.poll() is None, Path(f"{host}.log").read_text()
        if ready():
            return
        time.sleep(0.1)
    pytest.fail(f"{host} is not ready: {Path(f'{host}.log').read_text()}")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What three workers leave behind."""
    folder = tmp_path_factory.mktemp("machines")
    ended = SimpleNamespace(folder=folder)
    with (
        workplace(folder),
        servers.postgresql(SECRET, "study", "tracking") as (storage, tracking),
        servers.mlflow_server(tracking, folder / "artifacts") as uri,
    ):
        os.environ["MLFLOW_TRACKING_URI"] = uri
        join = ("worker", "--storage", storage)
        tune = start("first", "tune", *SIZE, "--n-trials", N_TRIALS, "--storage", storage, gate="go")
        wait(tune, "first", Path("first.begun").exists)
        del os.environ["MLFLOW_TRACKING_URI"]  # the study says where it is tracked
        killed = start("second", *join, gate="never")
        stopped = start("third", *join, gate="never")
        wait(killed, "second", Path("second.begun").exists)
        wait(stopped, "third", Path("third.begun").exists)
        killed.kill()
        stopped.send_signal(signal.SIGTERM)
        ended.codes = [killed.wait(), stopped.wait()]
        Path("go").touch()
        ended.codes.insert(0, tune.wait())
        ended.said = {host: Path(f"{host}.log").read_text() for host in ("first", "second", "third")}
        assert ended.codes[0] == 0, ended.said
        ended.study = find_study(storage)
        ended.client = MlflowClient(uri)
        ended.dumps = [servers.dump(storage), servers.dump(tracking)]
        with short_trainings():
            ended.late = rareflow(*join)
        mlflow.set_tracking_uri(uri)
        yield ended


def runs(place):
    found = place.client.search_runs(["1"])
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    return parent, [run for run in found if run is not parent]


def test_the_killed_and_the_stopped_worker_end_as_such_and_the_study_comes_to_its_end(place):
    assert place.codes == [0, -signal.SIGKILL, 130]
    assert place.said["third"].splitlines()[-1].startswith("rareflow: stopped; ")


def test_the_target_is_reached_exactly_and_no_trial_runs_or_waits(place):
    counts = Counter(trial.state for trial in place.study.trials)
    assert counts == {TrialState.COMPLETE: N_TRIALS, TrialState.FAIL: 2}


def test_no_trial_number_comes_twice_in_optuna_or_in_mlflow(place):
    numbers = [trial.number for trial in place.study.trials]
    assert numbers == list(range(N_TRIALS + 2))
    _, children = runs(place)
    assert sorted(run.info.run_name for run in children) == [f"trial-{number:04d}" for number in numbers]


def test_raw_and_the_defaults_are_done_once_whoever_had_them_first(place):
    complete = place.study.get_trials(states=(TrialState.COMPLETE,))
    assert sorted(filter(None, (trial.user_attrs.get("role") for trial in complete))) == ["default", "raw"]


def test_no_run_is_left_running_and_each_says_how_its_trial_ended(place):
    parent, children = runs(place)
    assert parent.info.status == "FINISHED"
    held = {f"trial-{trial.number:04d}": trial.state for trial in place.study.trials}
    ends = {TrialState.COMPLETE: "FINISHED", TrialState.FAIL: "KILLED"}
    assert {run.info.run_name: run.info.status for run in children} == {
        name: ends[state] for name, state in held.items()
    }
    hosts = {run.info.status: set() for run in children}
    for run in children:
        hosts[run.info.status].add(run.data.tags["rareflow.host"])
    assert hosts == {"FINISHED": {"first"}, "KILLED": {"second", "third"}}


def test_the_champion_is_the_studys_best_and_the_server_serves_it(place):
    parent, _ = runs(place)
    version = place.client.get_model_version_by_alias("rareflow-gas-pipeline", "champion")
    assert version.run_id == parent.info.run_id
    complete = [trial for trial in place.study.get_trials(states=(TrialState.COMPLETE,)) if trial.params]
    finalists = sorted(complete, key=lambda trial: -trial.value)[:2]
    (best,) = [trial for trial in finalists if str(trial.number) == parent.data.tags["best_trial"]]
    held = {key: parent.data.params[f"best_{key}"] for key in Candidate.from_params(best.params).generator}
    assert held == {key: str(value) for key, value in Candidate.from_params(best.params).generator.items()}
    model = mlflow.pyfunc.load_model("models:/rareflow-gas-pipeline@champion")
    rows = model.predict(pd.DataFrame({"label": ["NMRI"], "count": [5]}), params={"seed": 1})
    assert len(rows) == 5


def test_the_password_is_in_no_log_and_in_neither_database(place):
    assert "trial-0000" in place.dumps[1]
    assert "briefing" in place.dumps[0]
    for text in (*place.said.values(), *place.dumps, *place.late.said, *place.late.progress):
        assert "pass:w0rd" not in text
        assert "pass%3Aw0rd" not in text


def test_a_worker_that_comes_late_finds_nothing_to_do(place):
    assert place.late.code == 0, place.late.said
    assert place.late.out == f"Study {place.study.study_name} has all its trials: {N_TRIALS}.\n"


def test_the_study_tells_workers_its_options(place):
    told = place.study.user_attrs["briefing"]
    assert json.loads(json.dumps(told)) == told
    assert (told["n_trials"], told["settings"]["source"]["rows"]) == (N_TRIALS, 600)
