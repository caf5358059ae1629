"""Several processes on one study, most of them imagined: what one does in sight of the others' trials."""

import multiprocessing
import platform
import warnings

import optuna
import pytest
from optuna.trial import TrialState

from rareflow.identity import here
from rareflow.tuning import work as module
from rareflow.tuning.marks import OWNER
from rareflow.tuning.study import enqueue_references, find_study, finished, open_study
from rareflow.tuning.work import fail_lost, settle, work
from tests.tuning.fakes import COUNTS, FakeObjective, Recorder, age, by_noise, run_worker

pytestmark = pytest.mark.fault

ELSEWHERE = ("elsewhere", 1, "another boot 1")


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(module, "_POLL_S", 0.01)


@pytest.fixture
def study(storage):
    """A study with RAW and the defaults done."""
    opened = open_study(storage, "study", seed=0)
    enqueue_references(opened, COUNTS)
    work(opened, FakeObjective(), 2, Recorder())
    return opened


def begin(study, owner=ELSEWHERE):
    """Begin a trial as the process of that name does."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage")
        trial = study.ask()
    study._storage.record_heartbeat(trial._trial_id)
    if owner:
        trial.set_user_attr(OWNER, owner)
    return trial


class Meanwhile(Recorder):
    """A recorder in whose sight something happens the first time that trials are waited for."""

    def __init__(self, happen):
        super().__init__()
        self.happen = happen

    def waiting(self, running):
        super().waiting(running)
        if len(self.waited) == 1:
            self.happen()


def states(study):
    return [trial.state.name for trial in study.trials]


def test_no_trial_is_begun_that_those_who_run_will_make_needless(study):
    other = begin(study)
    seen = Meanwhile(lambda: study.tell(other, 0.5))
    work(study, FakeObjective(), 3, seen)
    assert seen.waited[0] == {2: "elsewhere"}
    assert seen.trials == {}
    assert states(study) == ["COMPLETE"] * 3


def test_a_trial_that_fails_while_others_wait_for_it_is_made_good(study):
    other = begin(study)
    seen = Meanwhile(lambda: study.tell(other, state=TrialState.FAIL))
    work(study, FakeObjective(), 3, seen)
    assert list(seen.trials) == [3]
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]


def test_a_trial_is_begun_beside_those_that_run_if_they_cannot_reach_the_target(study):
    other = begin(study)
    seen = Meanwhile(lambda: study.tell(other, 0.5))
    work(study, FakeObjective(), 4, seen)
    assert list(seen.trials) == [3]
    assert finished(study) == 4


def test_a_trial_that_nobody_put_a_name_to_is_not_waited_for(study):
    begin(study, owner=None)
    seen = Recorder()
    work(study, FakeObjective(), 3, seen)
    assert seen.waited == []
    assert states(study) == ["COMPLETE", "COMPLETE", "RUNNING", "COMPLETE"]


def test_what_a_dead_process_of_this_host_was_in_is_tried_again_at_once(study, dead):
    latent_dim = begin(study, dead).suggest_int("latent_dim", 4, 64, log=True)
    seen = Recorder()
    work(study, FakeObjective(), 3, seen)
    assert seen.gone == [(2, platform.node())]
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert study.trials[3].params["latent_dim"] == latent_dim
    assert study.trials[3].user_attrs[OWNER] == list(here())


def test_what_a_process_of_another_host_was_in_is_tried_again_when_its_heartbeat_is_long_gone(study, storage):
    begin(study)
    seen = Recorder()
    fail_lost(study, seen)
    assert (states(study)[2:], seen.gone) == (["RUNNING"], [])
    age(storage)
    fail_lost(study, seen)
    assert (states(study)[2:], seen.gone) == (["FAIL", "WAITING"], [(2, "elsewhere")])
    assert OWNER not in study.trials[3].user_attrs, "nobody has it yet"


def test_a_trial_of_a_machine_of_this_name_that_booted_at_another_time_is_left_to_its_heartbeat(study, dead):
    begin(study, (*dead[:2], f"another {dead[2]}"))
    seen = Recorder()
    fail_lost(study, seen)
    assert (states(study)[2:], seen.gone) == (["RUNNING"], [])


def test_a_lost_reference_stays_a_reference(storage, dead):
    study = open_study(storage, "study", seed=0)
    enqueue_references(study, COUNTS)
    begin(study, dead)
    work(study, FakeObjective(), 2, Recorder())
    assert [(trial.state.name, trial.user_attrs["role"]) for trial in study.trials] == [
        ("FAIL", "raw"),
        ("COMPLETE", "default"),
        ("COMPLETE", "raw"),
    ]


def test_two_processes_that_find_the_same_trial_lost_queue_it_once(study, storage, dead):
    begin(study, dead)
    other = find_study(storage, "study")
    found = study.get_trials(states=(TrialState.RUNNING,))
    fail_lost(other, Recorder())
    module._give_up(study, found[0])
    assert states(study)[2:] == ["FAIL", "WAITING"]


def test_a_trial_that_others_took_for_dead_is_left_to_them_and_the_work_goes_on(study, storage):
    def taken(candidate):
        if len(study.trials) == 3:
            find_study(storage, "study").tell(2, state=TrialState.FAIL)
        return by_noise(candidate)

    seen = Recorder()
    work(study, FakeObjective(taken), 3, seen)
    assert seen.trials[2].end == "UpdateFinishedTrialError"
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]


def test_a_reference_that_was_interrupted_is_queued_for_the_others(storage):
    study = open_study(storage, "study", seed=0)
    enqueue_references(study, COUNTS)
    with pytest.raises(KeyboardInterrupt):
        work(study, FakeObjective(faults={0: KeyboardInterrupt()}), 2, Recorder())
    assert [(trial.state.name, trial.user_attrs["role"]) for trial in study.trials] == [
        ("FAIL", "raw"),
        ("WAITING", "default"),
        ("WAITING", "raw"),
    ]


def test_settling_waits_for_the_trials_that_run_and_not_for_those_that_begin_meanwhile(study):
    running = begin(study)

    def go_on():
        begin(study)
        study.tell(running, 0.5)

    seen = Meanwhile(go_on)
    settle(study, seen)
    assert seen.waited == [{2: "elsewhere"}]
    assert states(study)[2:] == ["COMPLETE", "RUNNING"]


def test_three_processes_reach_the_target_and_none_begins_more_than_one_trial_beyond_it(storage):
    enqueue_references(open_study(storage, "study", seed=0), COUNTS)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=run_worker, args=(storage, "study", 9, seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    study = optuna.load_study(study_name="study", storage=storage)
    assert 9 <= finished(study) <= 11
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert [trial.number for trial in study.trials] == list(range(len(study.trials)))
    roles = [trial.user_attrs.get("role") for trial in study.trials]
    assert roles.count("raw") == roles.count("default") == 1
    assert len({str(sorted(trial.params.items())) for trial in study.trials}) == len(study.trials)
