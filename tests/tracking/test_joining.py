import mlflow
import pytest

from rareflow.errors import StoreError
from rareflow.tracking.joining import visit_store
from rareflow.tracking.store import current_uri


def test_a_visited_store_is_the_one_told_and_forgotten_after(store):
    mlflow.set_tracking_uri(None)
    before = current_uri()
    told = store.replace("mlflow.db", "told.db")
    with pytest.raises(StoreError, match=r"told.db', a file that is not on this machine"), visit_store(told):
        pass
    assert not mlflow.tracking.is_tracking_uri_set()
    with visit_store(store):
        assert mlflow.get_tracking_uri() == store
    assert not mlflow.tracking.is_tracking_uri_set()
    assert current_uri() == before


def test_a_store_that_this_machine_has_set_is_visited_instead_and_stays_set(store, monkeypatch):
    mlflow.set_tracking_uri(None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    with visit_store("postgresql://***@host/mlflow"):
        assert mlflow.get_tracking_uri() == store
    assert mlflow.get_tracking_uri() == store
