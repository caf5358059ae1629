"""What MLflow prints by default, and what a run keeps of the software that made it."""

from __future__ import annotations

import logging
import os
import platform
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.utils.git_utils import get_git_commit

from rareflow.identity import here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "BIRTH_TAG",
    "HOST_TAG",
    "PROCESS_TAG",
    "git_commit",
    "process_tags",
    "quiet",
    "variables",
    "versions",
]

HOST_TAG, PROCESS_TAG, BIRTH_TAG = "rareflow.host", "rareflow.process", "rareflow.process.birth"

# Environment variables, so that worker processes inherit them.
_SWITCHES = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_PACKAGES = (
    "rareflow",
    "imbalanced-learn",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "scikit-learn",
    "torch",
    "xgboost",
)


def quiet() -> None:
    """Turn off MLflow's progress bars, links and INFO lines, wherever the user's environment is silent.

    A variable that is set already keeps its value: ``MLFLOW_LOGGING_LEVEL=INFO`` brings the lines back.
    """
    for name, value in _SWITCHES.items():
        os.environ.setdefault(name, value)
    # MLflow read the level when it was imported; a default set since then has to be told to its logger.
    logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while, but for those that the user set."""
    ours = values.keys() - os.environ.keys()
    os.environ.update({name: values[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def versions() -> dict[str, str]:
    """Give the version of Python and of each installed package that decides a result, by package name."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def process_tags() -> dict[str, str]:
    """Say which process this is: its host's name, its number there and its birth."""
    host, number, birth = here()
    return {HOST_TAG: host, PROCESS_TAG: str(number), BIRTH_TAG: birth}


def git_commit() -> str | None:
    """Give the commit of the checkout that rareflow runs from, else of the current folder, else ``None``."""
    for folder in (Path(__file__).parent, Path.cwd()):
        commit: str | None = get_git_commit(str(folder))
        if commit is not None:
            return commit
    return None
