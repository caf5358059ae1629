import mlflow
import pytest


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database that holds MLflow's tables and nothing else: making them takes seconds."""
    path = tmp_path_factory.mktemp("tables") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
    return path
