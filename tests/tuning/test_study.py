import logging
import sqlite3
import sys
import time
import warnings
from contextlib import closing, suppress

import optuna
import pytest
import torch
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import TrialState
from xgboost.core import XGBoostError

from rareflow.errors import DataError, DivergedError, StoreError
from rareflow.tuning.marks import DONE, OWNER
from rareflow.tuning.space import Candidate, default_candidate, suggest
from rareflow.tuning.storage import open_storage
from rareflow.tuning.study import enqueue_references, finished, open_study
from rareflow.tuning.work import work
from tests.tuning.fakes import COUNTS, FakeObjective, Recorder, age

pytestmark = pytest.mark.fault


def fresh(storage, *, seed=0, name="study"):
    study = open_study(storage, name, seed=seed)
    enqueue_references(study, COUNTS)
    return study


def go_on(study, n_trials, objective=None):
    recorder = Recorder()
    work(study, objective or FakeObjective(), n_trials, recorder)
    return recorder


def states(study):
    return [trial.state.name for trial in study.trials]


def roles(study, *found):
    return [trial.user_attrs.get("role") for trial in study.get_trials(states=found or None)]


def drawn(study):
    """Give the trials that came to their end; of two references one that was cut off comes second."""
    held = study.get_trials(states=DONE)
    return sorted((str(trial.user_attrs.get("role")), str(trial.params), trial.value) for trial in held)


def ask(study):
    """Begin a trial as `study.optimize` does, whose process is then heard of no more."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage")
        trial = study.ask()
    study._storage.record_heartbeat(trial._trial_id)
    return trial


def test_raw_is_trial_0_and_the_defaults_are_trial_1(storage):
    study = fresh(storage)
    recorder = go_on(study, 4)
    assert roles(study) == ["raw", "default", None, None]
    assert study.trials[0].params == {}
    assert Candidate.from_params(study.trials[1].params) == default_candidate(COUNTS)
    assert [recorder.trials[i].role for i in range(4)] == ["raw", "default", "", ""]


def test_the_references_are_queued_once(storage):
    study = fresh(storage)
    enqueue_references(study, COUNTS)
    go_on(study, 3)
    enqueue_references(fresh(storage), COUNTS)
    assert roles(study) == ["raw", "default", None]


@pytest.mark.parametrize("error", [DivergedError("nan"), MemoryError(), KeyboardInterrupt()])
@pytest.mark.parametrize(("turn", "role"), [(0, "raw"), (1, "default")])
def test_a_reference_that_failed_or_was_interrupted_comes_again(storage, turn, role, error):
    study = fresh(storage)
    with suppress(KeyboardInterrupt):
        go_on(study, 2, FakeObjective(faults={turn: error}))
    assert role not in roles(study, TrialState.COMPLETE)
    go_on(fresh(storage), 3)
    assert sorted(filter(None, roles(study, TrialState.COMPLETE))) == ["default", "raw"]
    assert roles(study, TrialState.FAIL) == [role]


def test_references_are_never_pruned_and_others_are(storage):
    study = fresh(storage)
    go_on(study, 6, FakeObjective(lambda _candidate: 0.9, faults={0: MemoryError()}))
    study = fresh(storage)
    go_on(study, 8, FakeObjective(lambda _candidate: 0.1))
    raw, other = study.trials[-2:]
    assert (raw.user_attrs["role"], raw.state) == ("raw", TrialState.COMPLETE)
    assert raw.value == pytest.approx(0.1)
    assert other.state == TrialState.PRUNED


def test_a_pruned_trial_counts_and_a_hopeless_one_stops_after_its_first_detector(storage):
    study = fresh(storage)
    go_on(study, 5, FakeObjective(lambda _candidate: 0.9))
    recorder = go_on(study, 7, FakeObjective(lambda _candidate: 0.1))
    assert states(study) == ["COMPLETE"] * 5 + ["PRUNED"] * 2
    assert finished(study) == 7
    assert recorder.trials[6].scores == [(1, pytest.approx(0.1))]
    assert recorder.trials[6].repeats == []
    assert (recorder.trials[6].end, recorder.trials[6].said) == ("TrialPruned", "0.1000 after 1 of 9 scores")


def test_nothing_is_pruned_before_a_median_of_four_can_be_had(storage):
    study = fresh(storage)
    objective = FakeObjective(lambda _candidate: 1 - objective.turns / 10)
    go_on(study, 5, objective)
    assert states(study) == ["COMPLETE"] * 4 + ["PRUNED"]


def test_the_observer_hears_steps_and_repeats_in_order_and_knows_the_parameters(storage):
    study = fresh(storage)
    recorder = go_on(study, 3)
    for number, seen in recorder.trials.items():
        assert seen.steps == seen.repeats == [0, 1, 2]
        assert seen.params == study.trials[number].params
        assert seen.end is None


def test_the_value_is_the_mean_and_each_report_the_running_mean_over_the_detectors_so_far(storage):
    values = iter([0.2, 0.4, 0.9])
    study = fresh(storage)
    recorder = go_on(study, 1, FakeObjective(lambda _candidate: next(values)))
    means = [0.2, 0.2, 0.2, 1 / 4, 1.4 / 5, 0.3, 2.7 / 7, 3.6 / 8, 0.5]
    assert study.trials[0].value == pytest.approx(0.5)
    assert study.trials[0].intermediate_values == pytest.approx(dict(enumerate(means)))
    assert recorder.trials[0].scores == [(i + 1, pytest.approx(mean)) for i, mean in enumerate(means)]


def test_a_resumed_study_continues_to_the_target_and_draws_nothing_again(storage):
    go_on(fresh(storage), 4)
    study = fresh(storage)
    go_on(study, 7)
    assert finished(study) == len(study.trials) == 7
    drawn = [str(sorted(trial.params.items())) for trial in study.trials]
    assert len(set(drawn)) == 7


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError])
def test_a_study_that_was_cut_off_again_and_again_holds_the_trials_of_an_undisturbed_one(tmp_path, fault):
    undisturbed = fresh(f"sqlite:///{tmp_path}/undisturbed.db")
    go_on(undisturbed, 12)
    disturbed = fresh(f"sqlite:///{tmp_path}/disturbed.db")
    for target in range(1, 13):
        with pytest.raises(fault):
            go_on(disturbed, target, FakeObjective(faults={0: fault()}))
        disturbed = fresh(f"sqlite:///{tmp_path}/disturbed.db")
        go_on(disturbed, target)
    assert drawn(disturbed) == drawn(undisturbed)


def test_a_study_whose_process_died_in_a_trial_holds_the_trials_of_an_undisturbed_one(tmp_path, dead):
    undisturbed = fresh(f"sqlite:///{tmp_path}/undisturbed.db")
    go_on(undisturbed, 12)
    disturbed = fresh(f"sqlite:///{tmp_path}/disturbed.db")
    for target in range(1, 13):
        trial = ask(disturbed)
        if "role" not in trial.user_attrs:
            suggest(trial, COUNTS)
        trial.set_user_attr(OWNER, dead)
        disturbed = fresh(f"sqlite:///{tmp_path}/disturbed.db")
        go_on(disturbed, target)
    assert drawn(disturbed) == drawn(undisturbed)


def test_a_trial_that_failed_by_its_own_fault_is_not_drawn_again(storage):
    study = fresh(storage)
    go_on(study, 6, FakeObjective(faults={2: DivergedError("no"), 3: MemoryError()}))
    assert len({str(trial.params) for trial in study.trials[2:]}) == len(study.trials) - 2 == 6
    assert [trial.user_attrs.get("fault") for trial in study.trials[2:4]] == ["DivergedError", "MemoryError"]


def test_a_study_that_holds_more_than_asked_for_is_left_alone(storage):
    go_on(fresh(storage), 4)
    study = fresh(storage)
    assert go_on(study, 3).trials == {}
    assert len(study.trials) == 4


def test_workers_that_join_at_different_times_draw_different_trials(storage):
    go_on(fresh(storage), 2)
    early, late = open_study(storage, "study", seed=1), None
    go_on(early, 3)
    late = open_study(storage, "study", seed=0)
    go_on(late, 4)
    assert late.trials[2].params != late.trials[3].params


def test_after_the_random_start_all_parameters_are_drawn_together(storage):
    study = fresh(storage)
    go_on(study, 9)
    assert set(ask(study).relative_params) == set(study.trials[1].params)


def test_same_seed_same_trials(tmp_path):
    runs = []
    for name in ("one", "two"):
        study = fresh(f"sqlite:///{tmp_path}/{name}.db", seed=3)
        go_on(study, 10)
        runs.append([(t.number, t.state, t.params, t.values, t.intermediate_values) for t in study.trials])
    assert runs[0] == runs[1]
    other = fresh(f"sqlite:///{tmp_path}/three.db", seed=4)
    go_on(other, 3)
    assert other.trials[2].params != runs[0][2][2]


@pytest.mark.parametrize(
    "error",
    [
        DivergedError("nan at step 3"),
        MemoryError("none left"),
        torch.OutOfMemoryError("CUDA"),
        XGBoostError("std::bad_alloc"),
    ],
)
def test_a_trial_that_fails_by_its_own_fault_is_failed_quietly_and_the_study_goes_on(
    storage, error, caplog, monkeypatch
):
    monkeypatch.setattr(logging.getLogger("optuna"), "handlers", [caplog.handler])
    study = fresh(storage)
    recorder = go_on(study, 4, FakeObjective(faults={2: error}))
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert recorder.trials[2].end == type(error).__name__
    assert caplog.records == []


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), DataError("column 'bad_alloc' holds no value"), RuntimeError("bad_alloc")]
)
def test_any_other_exception_fails_its_trial_and_passes_through(storage, error):
    study = fresh(storage)
    with pytest.raises(type(error)):
        go_on(study, 4, FakeObjective(faults={2: error}))
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL"]


def test_an_interrupt_leaves_no_trial_running(storage):
    study = fresh(storage)
    with pytest.raises(KeyboardInterrupt):
        go_on(study, 4, FakeObjective(faults={2: KeyboardInterrupt()}))
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL"]


def test_five_failures_in_a_row_end_the_work(storage):
    study = fresh(storage)
    go_on(study, 30, FakeObjective(faults={turn: MemoryError() for turn in range(2, 40)}))
    assert states(study) == ["COMPLETE"] * 2 + ["FAIL"] * 5


def test_scattered_failures_and_those_of_earlier_sessions_end_nothing(storage):
    for n_trials in range(1, 7):
        with pytest.raises(KeyboardInterrupt):
            go_on(fresh(storage), n_trials, FakeObjective(faults={0: KeyboardInterrupt()}))
    study = fresh(storage)
    go_on(study, 8, FakeObjective(faults={turn: MemoryError() for turn in range(1, 12, 2)}))
    assert finished(study) == 8


def test_what_a_killed_process_left_running_is_failed_and_done_anew(storage):
    study = fresh(storage)
    for _ in range(3):
        ask(study)
    age(storage)
    study = fresh(storage)
    assert states(study) == ["FAIL"] * 3 + ["WAITING"] * 3
    go_on(study, 4)
    assert states(study) == ["FAIL"] * 3 + ["COMPLETE"] * 4
    assert roles(study) == ["raw", "default", None] * 2 + [None]


def test_what_a_killed_process_had_drawn_is_tried_again(storage):
    study = fresh(storage)
    go_on(study, 2)
    latent_dim = ask(study).suggest_int("latent_dim", 4, 64, log=True)
    age(storage)
    study = fresh(storage)
    go_on(study, 3)
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert study.trials[3].params["latent_dim"] == latent_dim


def test_a_trial_that_another_process_is_working_on_is_left_alone(storage):
    study = fresh(storage)
    ask(study)
    study = fresh(storage)
    assert states(study) == ["RUNNING", "WAITING"]
    assert roles(study) == ["raw", "default"]


def test_heartbeats_go_on_after_the_database_was_away_for_some(storage, tmp_path, monkeypatch):
    study = fresh(storage)
    trial = ask(study)
    monkeypatch.setattr(study._storage, "get_heartbeat_interval", lambda: 0.01)
    with closing(sqlite3.connect(tmp_path / "optuna.db", isolation_level=None)) as database:
        database.execute("ALTER TABLE trial_heartbeats RENAME TO away")
        with get_heartbeat_thread(trial._trial_id, study._storage):
            time.sleep(0.2)
            database.execute("ALTER TABLE away RENAME TO trial_heartbeats")
            age(storage)
            old = "SELECT 1 FROM trial_heartbeats WHERE heartbeat < datetime('now', '-1 minute')"
            for _ in range(1000):
                if not database.execute(old).fetchone():
                    return
                time.sleep(0.01)
    pytest.fail("no heartbeat came after those that failed")


def refusal(storage):
    with pytest.raises(StoreError) as caught:
        open_study(storage, "study", seed=0)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_storage_whose_folder_does_not_exist_is_refused(tmp_path):
    err = refusal(f"sqlite:///{tmp_path}/missing/optuna.db")
    assert str(err) == (
        f"the study's storage 'sqlite:///{tmp_path}/missing/optuna.db' cannot be used (unable to open "
        "database file); see that its folder exists and can be written, or its server is up, or give another "
        "--storage such as sqlite:///optuna.db"
    )
    assert err.__cause__ is not None


def test_a_storage_that_can_only_be_read_is_refused(storage, tmp_path):
    fresh(storage)
    with pytest.raises(StoreError, match=r"cannot be used \(attempt to write a readonly database\)"):
        open_study(f"sqlite:///file:{tmp_path}/optuna.db?mode=ro&uri=true", "another", seed=0)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no database " * 100, encoding="utf-8")
    assert "cannot be used (file is not a database)" in str(refusal(f"sqlite:///{tmp_path}/notes.txt"))


def test_a_database_of_another_optuna_is_refused(storage):
    fresh(storage)
    connection = sqlite3.connect(storage.removeprefix("sqlite:///"))
    connection.execute("UPDATE alembic_version SET version_num = 'v2.4.0.a'")
    connection.commit()
    connection.close()
    assert (
        f"is a database of another program, or of another Optuna than {optuna.__version__}; "
        "run `optuna storage upgrade` on it, or give another --storage"
    ) in str(refusal(storage))


def test_a_storage_without_its_driver_is_refused_with_the_package_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    err = refusal("postgresql+psycopg2://me:secret@host/db")
    assert str(err) == (
        "the study's storage 'postgresql+psycopg2://me:***@host/db' needs the Python package 'psycopg2'; "
        "install it, or give another --storage such as sqlite:///optuna.db"
    )


@pytest.mark.parametrize("storage", ["sqlite://", "sqlite:///:memory:", "sqlite://me:secret@"])
def test_a_storage_in_memory_is_refused(storage):
    err = refusal(storage)
    assert "would keep the study in memory" in str(err)
    assert "give a file such as sqlite:///optuna.db" in str(err)
    assert "secret" not in str(err)


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("foo://me:secret@host/db", "Can't load plugin: sqlalchemy.dialects:foo"),
        ("postgresql+psycopg2://host:port/db?password=secret", "is no database's address"),
        ("foo://host/db?user=me&password=secret", "the study's storage 'foo://host/db' cannot be used"),
        ("me and my secret", "is no database's address; write it as sqlite:///optuna.db or dialect://"),
        ("", "is no database's address"),
    ],
)
def test_no_refusal_shows_a_secret(storage, said):
    err = refusal(storage)
    assert said in str(err)
    assert "secret" not in str(err)
    assert err.__cause__ is None
    assert err.__suppress_context__


WAITS = {"connect_timeout", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"}


@pytest.mark.parametrize(
    ("storage", "waits"),
    [
        ("postgresql+psycopg://host/study", WAITS),
        ("postgresql+psycopg2://host/study?connect_timeout=5", WAITS - {"connect_timeout"}),
        ("mysql+pymysql://host/study", set()),
    ],
)
def test_postgresql_whose_host_is_gone_is_not_waited_for_without_end_nor_longer_than_its_address_says(
    storage, waits, monkeypatch
):
    engines = []
    monkeypatch.setattr(
        "rareflow.tuning.storage._Storage", lambda _url, engine_kwargs, **_: engines.append(engine_kwargs)
    )
    open_storage(storage)
    assert engines[0]["pool_pre_ping"]
    assert engines[0].get("connect_args", {}).keys() == waits
