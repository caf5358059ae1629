from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from rareflow.evaluation.metrics import score
from rareflow.generators.estimators import VAEWGANGP
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store
from rareflow.tuning.objective import Repeat
from rareflow.workflows.studying import trials as trials_module
from rareflow.workflows.studying.trials import Trials


def repeat(value, generator=None):
    """A repeat of which all detectors score alike, and as given in the value."""
    labels = np.array(["a", "b"], dtype=object)
    return Repeat(value, {"dt": score(labels, labels, labels=["a", "b"])}, generator, 0.5)


@pytest.fixture
def opened(folder):
    """A study with one finished trial, its observer and the client to see with."""
    assert folder.exists()
    study = optuna.create_study(direction="maximize")
    study.add_trial(optuna.trial.create_trial(value=0.25))
    uri = prepare_store("rare")
    with parent_run("study") as parent:
        yield Trials((parent.id,), uri, study, n_trials=3), MlflowClient(uri), parent.id


def the_child(client, parent_id):
    (run,) = client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    return run


def test_a_trials_metrics_are_the_means_of_its_repeats_step_by_step(opened):
    trials, client, parent_id = opened
    with trials.trial(7, "", {"latent_dim": 4}) as log:
        for i, value in enumerate((0.5, 0.75)):
            log.on_repeat(i, repeat(value))
    run = the_child(client, parent_id)
    assert (run.info.run_name, run.info.status) == ("trial-0007", "FINISHED")
    assert run.data.params == {"latent_dim": "4"}
    assert run.data.tags["study"] == trials._study.study_name
    curve = {
        key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
        for key in ("split_macro_f1", "val_macro_f1", "val/dt/macro_f1")
    }
    assert curve == {
        "split_macro_f1": [(0, 0.5), (1, 0.75)],
        "val_macro_f1": [(0, 0.5), (1, 0.625)],
        "val/dt/macro_f1": [(0, 1.0), (1, 1.0)],
    }


def test_a_pruned_trial_is_killed_and_keeps_no_error(opened, caplog, monkeypatch):
    trials, client, parent_id = opened
    hear(caplog, monkeypatch)

    def pruned():
        with trials.trial(1, "", {}) as log:
            log.on_score(1, 0.125)
            raise optuna.TrialPruned("0.1250 after 1 of 9 scores")

    with pytest.raises(optuna.TrialPruned):
        pruned()
    run = the_child(client, parent_id)
    assert run.info.status == "KILLED"
    assert client.list_artifacts(run.info.run_id) == []
    assert run.data.metrics == {"pruned_macro_f1": 0.125}
    assert [point.step for point in client.get_metric_history(run.info.run_id, "pruned_macro_f1")] == [1]
    assert "trial-0001: pruned at macro F1 0.1250 after 1 of 9 scores in " in caplog.text
    assert "best so far 0.2500; 2 of 3 done, about " in caplog.text


def test_a_failed_trial_keeps_its_traceback_and_does_not_count_as_done(opened, caplog, monkeypatch):
    trials, client, parent_id = opened
    hear(caplog, monkeypatch)
    with pytest.raises(MemoryError), trials.trial(1, "", {}):
        raise MemoryError("4 GiB")
    run = the_child(client, parent_id)
    assert run.info.status == "FAILED"
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["error.txt"]
    assert "trial-0001: FAILED (4 GiB)" in caplog.text
    assert "done" not in caplog.text


def test_a_finished_trial_is_told_with_the_best_value_it_itself_among_them(opened, caplog, monkeypatch):
    trials, client, parent_id = opened
    hear(caplog, monkeypatch)
    with trials.trial(0, "raw", {}) as log:
        log.on_repeat(0, repeat(0.875))
    assert the_child(client, parent_id).data.tags["rareflow.role"] == "raw"
    assert "trial-0000 (raw): val_macro_f1 0.8750 in " in caplog.text
    assert caplog.messages[-1].endswith("best so far 0.8750; 2 of 3 done")


def test_the_best_value_is_no_pruned_trials_part_of_a_mean(opened, caplog, monkeypatch):
    trials, *_ = opened
    hear(caplog, monkeypatch)
    pruned = optuna.trial.create_trial(state=TrialState.PRUNED, value=0.95)
    trials._study.add_trial(pruned)
    with trials.trial(2, "", {}) as log:
        log.on_repeat(0, repeat(0.875))
    assert "best so far 0.8750; " in caplog.text


def test_the_last_trial_leaves_no_time(opened, caplog, monkeypatch):
    trials, *_ = opened
    hear(caplog, monkeypatch)
    trials._study.add_trial(optuna.trial.create_trial(value=0.5))
    with trials.trial(2, "", {}) as log:
        log.on_repeat(0, repeat(0.375))
    assert caplog.messages[-1].endswith("best so far 0.5000; 3 of 3 done")


def test_the_first_repeat_leaves_its_curve_and_its_generator_and_later_ones_do_not(opened):
    trials, client, parent_id = opened
    rng = np.random.default_rng(0)
    fitted = VAEWGANGP(steps=3, random_state=0).fit(rng.normal(size=(8, 2)), ["a", "b"] * 4)
    with trials.trial(3, "", {}) as log:
        log.on_repeat(0, repeat(0.5, fitted))
        log.on_repeat(1, repeat(0.5, fitted))
    run = the_child(client, parent_id)
    assert [point.step for point in client.get_metric_history(run.info.run_id, "critic")] == [1, 2, 3]
    assert {file.path for file in client.list_artifacts(run.info.run_id, "generator")} == {
        "generator/spec.json",
        "generator/weights.safetensors",
    }


def test_the_run_of_a_lost_trial_is_killed_and_that_is_said_once(opened, caplog, monkeypatch):
    trials, client, parent_id = opened
    hear(caplog, monkeypatch)
    client.create_run("1", tags={"mlflow.parentRunId": parent_id}, run_name="trial-0005")
    trials.lost(5, "elsewhere")
    assert the_child(client, parent_id).info.status == "KILLED"
    said = "trial-0005: its process on elsewhere is heard of no more; it is tried again"
    assert set(caplog.messages) == {said}
    caplog.clear()
    trials.lost(5, "elsewhere")
    assert caplog.messages == []


def test_a_trial_that_another_worker_took_over_is_killed_without_an_error(opened, caplog, monkeypatch):
    trials, client, parent_id = opened
    hear(caplog, monkeypatch)
    taken = optuna.exceptions.UpdateFinishedTrialError
    with pytest.raises(taken), trials.trial(1, "", {}):
        raise taken
    run = the_child(client, parent_id)
    assert run.info.status == "KILLED"
    assert client.list_artifacts(run.info.run_id) == []
    assert "trial-0001: given up, because its heartbeat had stopped" in caplog.text


def test_whoever_waits_says_from_time_to_time_for_what(opened, caplog, monkeypatch):
    trials, *_ = opened
    hear(caplog, monkeypatch)
    trials.waiting({5: "there"})
    assert caplog.messages == []
    trials._pace.seconds = 0
    trials.waiting({5: "there", 7: "elsewhere"})
    assert set(caplog.messages) == {"Waiting for trial-0005 on there, trial-0007 on elsewhere"}


def test_the_time_that_is_left_is_shared_by_all_who_work(opened, caplog, monkeypatch):
    trials, *_ = opened
    hear(caplog, monkeypatch)
    monkeypatch.setattr("rareflow.workflows.studying.trials.time.monotonic", iter((0.0, 60.0)).__next__)
    trials._n_trials = 4
    for _ in range(2):
        trials._study.ask()
    trials._tell("done", trials_module.time.monotonic())
    assert caplog.messages[-1].endswith("2 of 4 done, about 1 min 00 s left")


def test_the_time_that_is_left_is_not_reckoned_from_raw_which_trains_nothing(opened, caplog, monkeypatch):
    trials, *_ = opened
    hear(caplog, monkeypatch)
    now = iter((0.0, 1.0, 10.0, 70.0))
    monkeypatch.setattr(trials_module, "time", SimpleNamespace(monotonic=lambda: next(now)))
    for role in ("raw", "default"):
        trials._tell("done", trials_module.time.monotonic(), role=role)
    raw, *_, default = caplog.messages  # each twice where pytest hears two loggers
    assert raw == "done in 1.0 s; best so far 0.2500; 2 of 3 done"
    assert default == "done in 1 min 00 s; best so far 0.2500; 2 of 3 done, about 1 min 00 s left"


def hear(caplog, monkeypatch):
    """Let pytest hear rareflow's lines, which the command line may have kept to itself."""
    caplog.set_level("INFO", "rareflow")
    monkeypatch.setattr("rareflow.workflows.progress._LOGGER.propagate", True)
