"""A training one of whose losses is no longer a number."""

from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient

from rareflow.generators.training import Training
from tests.workflows.commands import rareflow

pytestmark = pytest.mark.fault

WELL = 30  # steps, of the first training that is longer


@pytest.fixture(autouse=True)
def _diverging(monkeypatch):
    turn, begun = Training.turn, []

    def diverge(self):
        losses = turn(self)
        if len(self.history) == WELL and not begun:
            begun.append(self)
            losses["critic"] = torch.tensor(torch.nan)
        return losses

    monkeypatch.setattr(Training, "turn", diverge)


def ended_with(client, run, prefix=""):
    """The steps of a run's curve and its error."""
    points = client.get_metric_history(run.info.run_id, f"{prefix}critic")
    error = Path(client.download_artifacts(run.info.run_id, "error.txt")).read_text()
    return [point.step for point in points], error


def test_a_training_that_diverges_is_failed_with_its_reason_and_its_curve(folder):
    ended = rareflow("train", "--rows", "600", "--steps", "200")
    assert ended.code == 2
    assert ended.said[-1].startswith(
        f"rareflow: training diverged at step {WELL + 1} of 200 ({{'critic': nan"
    )
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs(["1"])
    assert run.info.status == "FAILED"
    steps, error = ended_with(client, run)
    assert steps == list(range(1, WELL + 1))
    assert f"training diverged at step {WELL + 1} of 200" in error


def test_a_trial_that_diverges_fails_alone_with_its_reason_and_its_curve(folder):
    ended = rareflow("tune", "--rows", "600", "--n-trials", "3", "--repeats", "1", "--tune-rows", "300")
    assert ended.code == 0, ended.said
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    runs = client.search_runs(["1"])
    (failed,) = [run for run in runs if run.info.status == "FAILED"]
    assert failed.data.tags["rareflow.role"] == "default"
    steps, error = ended_with(client, failed, "diverged/")
    assert steps == list(range(1, WELL + 1))
    assert f"training diverged at step {WELL + 1} of 100" in error
    others = [run.info.status for run in runs if run is not failed]
    assert others == ["FINISHED"] * 4, "the study itself, RAW and two that were drawn"
