"""Ctrl-C in the middle of a study, and the same command again."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from rareflow.workflows.interruption import stoppable
from rareflow.workflows.reading import DataSettings
from tests.workflows.commands import rareflow

pytestmark = pytest.mark.fault

# A shell that starts a command in the background has it ignore Ctrl-C, and its children with it.
SCRIPT = """\
import faulthandler, signal, sys
faulthandler.dump_traceback_later(300, exit=True)  # one that hangs says where
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {root!r})
from rareflow.cli import main
from tests.workflows.commands import short_trainings
if __name__ == "__main__":
    with short_trainings():
        main(sys.argv[1:])
"""
TUNE = ["tune", "--rows", "600", "--n-trials", "2", "--repeats", "1", "--tune-rows", "300"]


def start(folder, *words):
    """Start the command line with short trainings in a process of its own."""
    script = folder / "short.py"
    script.write_text(SCRIPT.format(root=str(Path(__file__).parents[2])))
    command = [sys.executable, "-u", str(script), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def wait_for_the_second_trial(process, client, folder):
    """Wait until the first trial is over and the second has begun."""
    for _ in range(1200):
        assert process.poll() is None, process.stderr.read()
        seen = {("trial-0000", "FINISHED"), ("trial-0001", "RUNNING")} <= set(states(client).items())
        # With several processes the study hears of a trial's end a moment after its run does.
        if seen and any(trial.state == TrialState.COMPLETE for trial in trials(folder)):
            return
        time.sleep(0.05)
    pytest.fail("there is no second trial")


def trials(folder):
    storage = f"sqlite:///{folder}/optuna.db"
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage).trials


def states(client):
    return {run.info.run_name: run.info.status for run in client.search_runs(["1"])}


class Dying:
    """Has a destructor in which Ctrl-C is pressed."""

    def __del__(self):
        raise KeyboardInterrupt


def test_an_interrupt_that_a_destructor_drops_comes_again():
    def busy():
        Dying()
        time.sleep(10)

    with stoppable(), pytest.raises(KeyboardInterrupt):
        busy()


def test_a_termination_is_an_interrupt_inside_and_what_it_was_outside():
    before = signal.getsignal(signal.SIGTERM)
    with stoppable(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


class Slow:
    """Is stopped while a class is made that has it, which Python calls a `RuntimeError`."""

    def __set_name__(self, *_):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("debug", [(), ("--debug",)])
@pytest.mark.usefixtures("folder")
def test_a_stop_that_python_takes_for_an_error_of_a_class_in_the_making_is_a_stop(monkeypatch, debug):
    monkeypatch.setattr(DataSettings, "stream", lambda _: type("Made", (), {"part": Slow()}))
    ended = rareflow("prepare", "--out", "out.csv", *debug)
    assert ended.code == 130
    assert ended.said == ["rareflow: stopped; what was finished is kept, and the same command continues"]


def test_other_errors_of_a_destructor_are_told_as_ever(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    monkeypatch.setattr(Dying, "__del__", lambda _: 1 / 0)
    with stoppable():
        Dying()
    assert [dropped.exc_type for dropped in told] == [ZeroDivisionError]
    assert sys.unraisablehook == told.append


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_leaves_no_run_open_and_the_same_command_continues_the_study(jobs, folder):
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    client.create_experiment("rareflow")
    with start(folder, *TUNE, "--jobs", str(jobs)) as process:
        wait_for_the_second_trial(process, client, folder)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().splitlines()
    assert process.returncode == 130, said
    assert [line for line in said if line.startswith("rareflow: ")] == said[-1:]
    assert said[-1].startswith("rareflow: stopped; ")
    left = states(client)
    assert left["trial-0000"] == "FINISHED"
    assert left["tune gas-pipeline"] == "KILLED"
    assert set(left.values()) <= {"FINISHED", "KILLED"}
    assert client.search_registered_models() == []
    ended = rareflow(*TUNE, "--jobs", jobs)
    assert ended.code == 0, ended.said
    assert any(": 1 of 2 trials done; " in line for line in ended.progress)
    done = [trial for trial in trials(folder) if trial.state == TrialState.COMPLETE]
    assert {trial.user_attrs.get("role") for trial in done} >= {"raw", "default"}
    assert "RUNNING" not in states(client).values()


def test_a_training_that_was_killed_goes_on_and_scores_as_an_undisturbed_one(folder):
    train = ("train", "--rows", "600", "--steps", "600", "--hidden-dim", "8", "--class-rows", "60")
    undisturbed = rareflow(*train)
    assert undisturbed.code == 0, undisturbed.said
    kept = ("--checkpoint-every", "20")
    with start(folder, *train, *kept) as process:
        while not (left := list(folder.glob("rareflow-training-*.safetensors"))):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    resumed = rareflow(*train, *kept)
    assert resumed.code == 0, resumed.said
    assert any("Going on at step " in line for line in resumed.progress)
    assert not left[0].exists()
    assert resumed.out.split("Balance")[0] == undisturbed.out.split("Balance")[0]
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    assert sorted(run.info.status for run in client.search_runs(["1"])) == ["FINISHED", "FINISHED", "KILLED"]
