"""What processes share of a study besides its trials, which the end-to-end tests run."""

import os
import signal
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from threadpoolctl import threadpool_info

from rareflow.errors import ConfigError
from rareflow.evaluation.detectors import DETECTORS
from rareflow.tuning.space import Candidate
from rareflow.workflows.processes import computed
from rareflow.workflows.studying import launchers
from rareflow.workflows.studying.launchers import values_in_processes
from tests.tuning.test_objective import FORGING, TINY, objective


def test_finalists_scored_in_processes_are_worth_what_they_are_in_this_one_to_the_last_bit():
    own, candidates = objective(), [Candidate(), FORGING, Candidate(TINY, {"few": 60})]
    assert values_in_processes(own, candidates, jobs=2) == [own.values(each) for each in candidates]


def test_a_finalist_that_cannot_be_scored_ends_with_its_split_and_the_reason():
    wrong = Candidate(TINY | {"latent_dim": 0}, {"few": 60})
    with pytest.raises(ConfigError, match="fresh split 1: latent_dim=0 must be"):
        values_in_processes(objective(repeats=1), [Candidate(), wrong], jobs=2)


@dataclass(frozen=True)
class Deadly:
    """A post at which every worker is killed, as the system does for want of memory."""

    uri: str

    def open(self, _seed):
        return None

    def serve(self, _study, _objective):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_told_with_what_mends_it(monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr(launchers, "say", told.append)
    post = Deadly(f"sqlite:///{tmp_path}/mlflow.db")
    launchers.work_in_processes(post, SimpleNamespace(n_threads=1, seed=0), jobs=2)
    start = "A worker was killed by signal 9, perhaps for want of memory, of which fewer --jobs need less; "
    assert told == [f"{start}others that go on: {left}" for left in (1, 0)]


def pools(own, _task):
    """Do a trial's work, then give the threads of every pool that is there and of those to come."""
    own.repeat(FORGING, 0)
    held = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    return held | {"torch": torch.get_num_threads(), "to come": int(os.environ["OMP_NUM_THREADS"])}


@pytest.mark.parametrize("n_threads", [1, 3])
def test_torch_xgboost_and_scikit_learn_take_the_threads_that_a_process_is_given_and_no_more(n_threads):
    work = partial(pools, objective(detectors=DETECTORS, repeats=1))
    ((_, found),) = computed([0], work, jobs=2, n_threads=n_threads, name=str)
    assert set(found.values()) == {n_threads}
    assert any("libomp" in path or "libgomp" in path or "libiomp" in path for path in found)


@dataclass(frozen=True)
class Stopped:
    """A post at which Ctrl-C comes while a library closes something, and fails at it."""

    uri: str

    def open(self, _seed):
        return None

    def serve(self, _study, _objective):
        try:
            raise KeyboardInterrupt
        finally:
            {}.pop("state")


def test_a_worker_that_is_stopped_ends_without_a_word_whatever_a_library_makes_of_it(monkeypatch):
    monkeypatch.setattr(launchers, "limit_threads", lambda _: None)
    monkeypatch.setattr(launchers, "use_store", lambda _: None)
    assert launchers._work(Stopped(""), SimpleNamespace(n_threads=1, seed=0), None) is None
