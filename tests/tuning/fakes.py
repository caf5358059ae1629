"""An objective without training, an observer that remembers, and what a worker process runs."""

import sqlite3
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from sqlalchemy import event
from sqlalchemy.engine import Engine

from rareflow.evaluation.detectors import DETECTORS
from rareflow.tuning.objective import Repeat
from rareflow.tuning.study import open_study
from rareflow.tuning.work import work

COUNTS = {"Normal": 90, "DoS": 20, "a b.c\u2013d": 6}


def by_noise(candidate):
    return 0.3 + 0.4 * candidate.generator.get("noise", 0.5)


class FakeObjective:
    """Score candidates by a formula; `faults` are raised in the turns that they name."""

    def __init__(self, score=by_noise, *, faults=None, seconds=0.0, counts=COUNTS):
        self.table = SimpleNamespace(class_counts=counts)
        self.splits, self.test_ratio = range(3), 3 / 7
        self.detectors = DETECTORS
        self.score, self.faults, self.seconds = score, faults or {}, seconds
        self.turns = 0

    def repeats(self, candidate, *, on_step=lambda _repeat, _step: None, on_score=lambda _scores: None):
        turn, self.turns = self.turns, self.turns + 1
        for i in self.splits:
            time.sleep(self.seconds)
            on_step(i, "step")
            if turn in self.faults:
                raise self.faults[turn]
            value = self.score(candidate)
            for _ in self.detectors:
                on_score(SimpleNamespace(macro_f1=value))
            yield Repeat(value, {}, None, 0.0)

    def values(self, candidate):
        """One value a split; a formula may give one for all."""
        return list(np.broadcast_to(self.score(candidate), len(self.splits)))


class Recorder:
    """An observer that remembers what it is told, trial by trial."""

    def __init__(self):
        self.trials, self.gone, self.waited = {}, [], []

    def lost(self, number, host):
        self.gone.append((number, host))

    def waiting(self, running):
        self.waited.append(dict(running))

    @contextmanager
    def trial(self, number, role, params):
        seen = SimpleNamespace(role=role, params=dict(params), steps=[], scores=[], repeats=[], end=None)
        seen.on_step = lambda repeat, _step: seen.steps.append(repeat)
        seen.on_score = lambda scored, mean: seen.scores.append((scored, mean))
        seen.on_repeat = lambda repeat, _found: seen.repeats.append(repeat)
        self.trials[number] = seen
        try:
            yield seen
        except BaseException as err:
            seen.end, seen.said = type(err).__name__, str(err)
            raise


@event.listens_for(Engine, "connect")
def _hurry(connection, _record):
    """Let SQLite not wait for the disk: a trial commits some thirty times."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def age(storage):
    """Let the last heartbeat of every trial be an hour old, as a killed process leaves it."""
    connection = sqlite3.connect(storage.removeprefix("sqlite:///"))
    connection.execute("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')")
    connection.commit()
    connection.close()


def run_worker(storage, name, n_trials, seed):
    work(open_study(storage, name, seed=seed), FakeObjective(seconds=0.02), n_trials, Recorder())
