import shutil

import pytest

from tests.workflows.commands import short_trainings, workplace


@pytest.fixture
def folder(tmp_path, empty_database):
    """A current folder with an MLflow store of its own, where generators train shortly."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    with workplace(tmp_path), short_trainings():
        yield tmp_path
