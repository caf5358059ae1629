import os
import shutil

import mlflow
import pytest

from rareflow.tracking.store import prepare_store


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder, and an MLflow that was told nothing and forgets what the test tells it."""
    saved = dict(os.environ)
    for name in saved:
        if name.startswith(("MLFLOW_", "GIT_PYTHON_")):
            del os.environ[name]
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    mlflow.set_tracking_uri(None)
    mlflow.tracking.fluent._active_experiment_id = None
    os.environ.clear()
    os.environ.update(saved)


@pytest.fixture
def store(folder, empty_database):
    """The tracking URI of a prepared store with the experiment ``rare``."""
    shutil.copy(empty_database, folder / "mlflow.db")
    return prepare_store("rare")
