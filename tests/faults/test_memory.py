"""More memory asked for than there is: by torch on the CPU and by XGBoost, in their own words."""

import subprocess
import sys

import pytest
import torch
from mlflow import MlflowClient

from rareflow.generators.training import Training
from tests.workflows.commands import rareflow

pytestmark = pytest.mark.fault

WELL = 30  # steps, of the first training that is longer
TOO_MUCH = 2**60  # bytes, of which no machine has the addresses

# XGBoost with next to nothing left.
XGBOOST = """\
import resource
import numpy as np
from xgboost import XGBClassifier
from rareflow.errors import lacks_memory
x, y = np.random.rand(500_000, 60).astype("float32"), np.arange(500_000) % 20
detector = XGBClassifier(n_estimators=2, n_jobs=1).fit(x[:1000], y[:1000])
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 20_000_000, -1))
try:
    detector.fit(x, y)
except Exception as err:
    print(type(err).__name__, lacks_memory(err))
"""


@pytest.fixture(autouse=True)
def _one_training_too_large(monkeypatch):
    turn, begun = Training.turn, []

    def grow(self):
        if len(self.history) == WELL and not begun:
            begun.append(self)
            torch.empty(TOO_MUCH, dtype=torch.uint8)
        return turn(self)

    monkeypatch.setattr(Training, "turn", grow)


def test_a_training_for_which_there_is_no_memory_ends_in_one_line_with_a_remedy(folder):
    ended = rareflow("train", "--rows", "600")
    assert ended.code == 2
    assert ended.said[-1].startswith("rareflow: memory ran out (")
    assert ended.said[-1].endswith(
        "take fewer rows, smaller networks, fewer jobs or fewer threads, and run the same command again"
    )
    (run,) = MlflowClient(f"sqlite:///{folder}/mlflow.db").search_runs(["1"])
    assert run.info.status == "FAILED"


def test_a_trial_for_which_there_is_no_memory_fails_alone(folder):
    ended = rareflow("tune", "--rows", "600", "--n-trials", "3", "--repeats", "1", "--tune-rows", "300")
    assert ended.code == 0, ended.said
    runs = MlflowClient(f"sqlite:///{folder}/mlflow.db").search_runs(["1"])
    assert sorted(run.info.status for run in runs) == ["FAILED"] + ["FINISHED"] * 4
    (failed,) = [run for run in runs if run.info.status == "FAILED"]
    assert failed.data.tags["rareflow.role"] == "default"


def test_xgboosts_own_word_for_it_is_known():
    ended = subprocess.run([sys.executable, "-c", XGBOOST], capture_output=True, text=True, check=True)
    assert ended.stdout == "XGBoostError True\n"
