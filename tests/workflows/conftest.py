import shutil

import mlflow
import pytest

from tests.workflows.commands import short_trainings, workplace


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database that holds MLflow's tables and nothing else: making them takes seconds."""
    path = tmp_path_factory.mktemp("tables") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def folder(tmp_path, empty_database):
    """A current folder with an MLflow store of its own, where generators train shortly."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    with workplace(tmp_path), short_trainings():
        yield tmp_path
