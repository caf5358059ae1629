"""A study cut off at any stage, by any signal, and the same command again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from rareflow.tracking.loading import load_generator
from tests.faults.cut import STAGES
from tests.workflows.commands import rareflow, short_trainings, workplace

pytestmark = pytest.mark.fault

TUNE = ["tune", "--rows", "600", "--n-trials", "3", "--repeats", "1", "--tune-rows", "300"]
CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 130, signal.SIGINT: 130}
MODEL = "rareflow-gas-pipeline"


def champion():
    """What the champion is: its scores, its training parameters, every number of its generator."""
    client = MlflowClient()
    version = client.get_model_version_by_alias(MODEL, "champion")
    assert version.description
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    best = {key: value for key, value in run.data.params.items() if key.startswith("best_")}
    metrics = {key: value for key, value in run.data.metrics.items() if not key.startswith("system/")}
    generator = load_generator(f"models:/{MODEL}@champion").generator
    tensors = {name: tensor.tobytes() for name, tensor in generator.tensors.items()}
    return version.tags["val_macro_f1"], best, metrics, generator.spec, tensors


def trials():
    """What the study holds that came to its end."""
    storage = f"sqlite:///{Path.cwd()}/optuna.db"
    (name,) = optuna.get_all_study_names(storage)
    held = optuna.load_study(study_name=name, storage=storage).get_trials()
    done = [trial for trial in held if trial.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    return sorted((str(trial.params), trial.value) for trial in done)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with workplace(tmp_path_factory.mktemp("undisturbed")), short_trainings():
        ended = rareflow(*TUNE)
        assert ended.code == 0, ended.said
        return champion(), trials()


def stop(stage, how):
    """Start the command, wait until it is in that stage, and stop it so."""
    command = [sys.executable, "-u", str(Path(__file__).with_name("cut.py")), *TUNE]
    with (
        Path("said").open("w") as said,
        subprocess.Popen(command, stdout=said, stderr=said, env=os.environ | {"STAGE": stage}) as process,
    ):
        while not Path("reached").exists():
            assert process.poll() is None, Path("said").read_text()
            time.sleep(0.05)
        process.send_signal(how)
    assert process.returncode == CODES[how], Path("said").read_text()
    return Path("said").read_text()


SOON = {("training", signal.SIGKILL), ("registering", signal.SIGKILL), ("logging artifacts", signal.SIGTERM)}


@pytest.mark.parametrize(
    ("stage", "how"),
    [
        pytest.param(stage, how, marks=[] if (stage, how) in SOON else pytest.mark.slow)
        for stage in STAGES
        for how in CODES
    ],
)
def test_the_same_command_again_ends_with_the_champion_of_an_undisturbed_study(
    folder, undisturbed, stage, how
):
    said = stop(stage, how)
    assert "Traceback" not in said
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    aliases = [version.aliases for version in client.search_model_versions()]
    assert not any(aliases), "nothing unfinished is champion"
    ended = rareflow(*TUNE)
    assert ended.code == 0, ended.said
    assert champion() == undisturbed[0]
    assert trials() == undisturbed[1]
    (experiment,) = [each.experiment_id for each in client.search_experiments() if each.name == "rareflow"]
    statuses = {run.info.status for run in client.search_runs([experiment])}
    assert statuses <= {"FINISHED", "KILLED"}, "no run is left open, and none finished that was not"
