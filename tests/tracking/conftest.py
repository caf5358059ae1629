import os
import shutil
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from rareflow.generators.estimators import VAEWGANGP
from rareflow.tracking import registry
from rareflow.tracking.registry import log_generator
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store
from tests.tracking.models import CLASS_ROWS, NAME, changed_code, plant
from tests.workflows.commands import workplace


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


@pytest.fixture(scope="session")
def generator():
    table = plant()
    fitted = VAEWGANGP(steps=5, hidden_dim=16, latent_dim=4, random_state=0)
    fitted.fit(table.drop(columns="result"), table["result"])
    fitted.generator_.spec["label"]["position"] = 2
    return fitted.generator_


@pytest.fixture(scope="session")
def doubling(tmp_path_factory):
    """A later code of the generator: it gives every row twice."""
    once, twice = (f"self._drawn({wanted}, temperature, with_label=True)" for wanted in ("read", "2 * read"))
    return changed_code(tmp_path_factory.mktemp("later"), ("generator.py", once, twice))


@pytest.fixture(scope="session")
def logged(tmp_path_factory, generator, doubling):
    """A store with two logged models, of today's code and of later code, and both registered as versions."""
    folder = tmp_path_factory.mktemp("registry")
    with workplace(folder):
        uri = prepare_store("rare")
        with parent_run("study"):
            today = log_generator(generator, class_rows=CLASS_ROWS)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(registry.portable, "__file__", doubling)
                later = log_generator(generator, class_rows={})
        mlflow.register_model(today.model_uri, NAME)
        mlflow.register_model(later.model_uri, NAME)
    return uri, today


@pytest.fixture
def client(folder, logged):
    """A client of the store, which is MLflow's current one as well."""
    assert folder == Path.cwd()
    prepare_store(None, uri=logged[0])
    return MlflowClient()
