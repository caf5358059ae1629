"""Run the command line in this process, in a folder and an MLflow of its own."""

import io
import os
import re
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

import mlflow
import pytest
import torch

from rareflow.cli import main
from rareflow.generators.estimators import VAEWGANGP
from rareflow.tuning import space

PROGRESS = re.compile(r"\d\d:\d\d:\d\d ")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it printed, and what it said that is no progress."""

    code: int
    out: str
    said: list[str]
    progress: list[str]


def rareflow(*words):
    out, err = io.StringIO(), io.StringIO()
    code = None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
    lines = err.getvalue().splitlines()
    progress = [line for line in lines if PROGRESS.match(line)]
    return Ended(code, out.getvalue(), [line for line in lines if line not in progress], progress)


@contextmanager
def workplace(folder):
    """A current folder, and an MLflow that was told nothing and forgets what it is told."""
    saved, before, threads = dict(os.environ), os.getcwd(), torch.get_num_threads()  # noqa: PTH109
    for name in saved:
        if name.startswith(("MLFLOW_", "GIT_PYTHON_")):
            del os.environ[name]
    mlflow.set_tracking_uri(None)
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        mlflow.set_tracking_uri(None)
        mlflow.tracking.fluent._active_experiment_id = None
        os.environ.clear()
        os.environ.update(saved)
        torch.set_num_threads(threads)


@contextmanager
def short_trainings():
    """Generators are small and train for a moment where nobody says otherwise, a study's default included."""
    defaults = VAEWGANGP.__init__.__kwdefaults__
    with pytest.MonkeyPatch.context() as patch:
        for name, least in {"steps": 100, "hidden_dim": 64, "n_critic": 1}.items():  # that can be drawn
            patch.setitem(defaults, name, least)
        patch.setitem(space.KNOBS, "steps", lambda trial, name: trial.suggest_int(name, 100, 100))
        yield
