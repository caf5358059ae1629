import http.server
import logging
import os
import shutil
import socket
import threading
import time
import traceback

import mlflow
import pytest
from mlflow import MlflowClient

from rareflow.databases import sqlite_file
from rareflow.errors import StoreError
from rareflow.redaction import without_secrets
from rareflow.tracking.store import (
    current_uri,
    is_missing,
    open_existing_store,
    prepare_registry,
    prepare_store,
)

pytestmark = pytest.mark.fault


def refusal(experiment="rare", uri=None):
    """The error's text on one line, and all that a traceback of it would show."""
    with pytest.raises(StoreError) as caught:
        prepare_store(experiment, uri=uri)
    text = str(caught.value)
    assert "\n" not in text
    return text, "".join(traceback.format_exception(caught.value))


@pytest.fixture
def silent_port():
    """A port at which somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    """A port at which nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def serve(status):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_a_fresh_folder_gets_mlflow_db_and_its_artifacts_beside_it(folder):
    uri = prepare_store("rare")
    assert uri == f"sqlite:///{folder}/mlflow.db"
    assert mlflow.get_tracking_uri() == os.environ["MLFLOW_TRACKING_URI"] == uri
    experiment = MlflowClient(uri).get_experiment_by_name("rare")
    assert experiment.artifact_location == f"{folder}/mlruns/{experiment.experiment_id}"
    assert sorted(path.name for path in folder.iterdir()) == ["mlflow.db", "mlruns"]


@pytest.mark.parametrize("name", ["my 100% data", "Projekt (1)", "M&S", "größe", "it's #1, new?", "a+b@c"])
def test_a_folder_of_any_name_holds_its_own_store_and_it_is_found_there(
    name, folder, empty_database, monkeypatch
):
    odd = folder / name
    odd.mkdir()
    monkeypatch.chdir(odd)
    assert is_missing(current_uri())
    shutil.copy(empty_database, odd / "mlflow.db")
    assert open_existing_store() == prepare_store("rare")
    assert sqlite_file(current_uri()) == str(odd / "mlflow.db")
    assert MlflowClient(f"sqlite:///{empty_database}").get_experiment_by_name("rare") is None
    assert mlflow.get_experiment_by_name("rare").artifact_location.startswith(str(odd))


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:here.db?uri=true",
        "postgresql://host/db",
        "http://host:5000",
        "postgresql://host:port/db",
        "mlruns",
    ],
)
def test_what_is_no_sqlite_file_is_not_missed(uri):
    assert sqlite_file(uri) == ""
    assert not is_missing(uri)


def test_the_users_tracking_uri_is_kept(folder, empty_database):
    shutil.copy(empty_database, folder / "other.db")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/other.db"
    assert prepare_store("rare") == f"sqlite:///{folder}/other.db"
    assert not (folder / "mlflow.db").exists()


def test_preparing_twice_changes_nothing(store):
    assert prepare_store("rare") == store
    assert sorted(experiment.name for experiment in MlflowClient().search_experiments()) == [
        "Default",
        "rare",
    ]


@pytest.mark.usefixtures("store")
def test_no_experiment_leaves_the_choice_to_mlflow():
    mlflow.tracking.fluent._active_experiment_id = None
    del os.environ["MLFLOW_EXPERIMENT_ID"]
    prepare_store(None)
    assert mlflow.tracking.fluent._get_experiment_id() == "0"


@pytest.mark.usefixtures("store")
def test_under_mlflow_run_the_experiment_stays_that_of_the_run():
    client = MlflowClient()
    os.environ["MLFLOW_RUN_ID"] = client.create_run("0").info.run_id
    prepare_store("elsewhere")
    assert client.get_experiment_by_name("elsewhere") is None


def test_a_run_id_that_the_store_does_not_hold_is_refused(store):
    os.environ["MLFLOW_RUN_ID"] = "0" * 32
    text, _ = refusal()
    assert text.startswith(f"MLFLOW_RUN_ID={'0' * 32!r} names no run in {store!r}")
    assert "unset it" in text


@pytest.mark.usefixtures("store")
def test_a_deleted_experiment_is_refused_with_the_way_back():
    experiment_id = MlflowClient().get_experiment_by_name("rare").experiment_id
    MlflowClient().delete_experiment(experiment_id)
    text, _ = refusal()
    assert text == (
        f"experiment 'rare' is deleted; restore it with `mlflow experiments restore --experiment-id "
        f"{experiment_id}`, or name another one with --experiment"
    )


def test_a_database_below_a_file_is_refused(folder):
    (folder / "file").write_text("")
    text, _ = refusal(uri=f"sqlite:///{folder}/file/mlflow.db")
    assert text.startswith(
        f"the tracking database 'sqlite:///{folder}/file/mlflow.db' cannot be opened for writing"
    )
    assert "unset MLFLOW_TRACKING_URI" in text


def test_a_file_that_is_no_database_is_refused(folder):
    (folder / "mlflow.db").write_text("no database " * 100)
    text, _ = refusal()
    assert "(file is not a database)" in text


@pytest.mark.usefixtures("store")
def test_an_artifact_folder_that_cannot_be_made_is_refused(folder):
    shutil.rmtree(folder / "mlruns")
    (folder / "mlruns").write_text("")
    text, _ = refusal()
    assert text.startswith(f"the artifact folder '{folder}/mlruns/1' cannot be written; ")
    assert "--experiment" in text


def test_a_folder_that_cannot_hold_artifacts_is_refused_before_an_experiment_has_them_there(folder):
    (folder / "mlruns").write_text("")
    text, _ = refusal()
    assert text.startswith(
        f"the artifact folder '{folder}/mlruns' cannot be written; run in a folder of your "
    )
    assert MlflowClient().get_experiment_by_name("rare") is None


@pytest.mark.usefixtures("store")
def test_an_artifact_folder_without_the_right_to_write_is_refused(monkeypatch):
    # The file mode alone would not stop a superuser.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot be written" in refusal()[0]


def test_a_server_that_is_down_is_refused_at_once_and_its_password_kept(closed_port):
    began = time.monotonic()
    text, shown = refusal(uri=f"http://bob:s3cret@127.0.0.1:{closed_port}")
    assert time.monotonic() - began < 5
    assert text == (
        f"the tracking server 'http://***@127.0.0.1:{closed_port}' does not answer (ConnectionError); "
        "start it, or unset MLFLOW_TRACKING_URI to track in ./mlflow.db"
    )
    assert "s3cret" not in shown


@pytest.mark.usefixtures("store")
def test_a_registry_of_its_own_that_is_down_is_refused_at_once_and_its_password_kept(closed_port):
    os.environ["MLFLOW_REGISTRY_URI"] = f"http://bob:s3cret@127.0.0.1:{closed_port}"
    began = time.monotonic()
    with pytest.raises(StoreError) as caught:
        prepare_registry()
    assert time.monotonic() - began < 5
    assert str(caught.value) == (
        f"the model registry 'http://***@127.0.0.1:{closed_port}' does not answer or refuses "
        "(ConnectionError); start it, mend MLFLOW_REGISTRY_URI, or unset it to register in the tracking store"
    )
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_setting_of_mlflows_that_is_no_number_is_refused(closed_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "soon")
    text, _ = refusal(uri=f"http://127.0.0.1:{closed_port}")
    assert "or a setting of its own (Failed to convert 'soon' for MLFLOW_HTTP_REQUEST_TIMEOUT" in text


@pytest.mark.parametrize("uri", ["http://bob:pa\u2100s3cret@host/", "http://bob:s3cret@[::1"])
def test_an_address_that_cannot_be_read_is_refused_and_its_password_kept(uri):
    text, shown = refusal(uri=uri)
    assert "mend MLFLOW_TRACKING_URI" in text
    assert "s3cret" not in shown


@pytest.mark.usefixtures("store")
def test_a_registry_that_answers_is_used(folder):
    prepare_registry()
    os.environ["MLFLOW_REGISTRY_URI"] = f"sqlite:///{folder}/registry.db"
    prepare_registry()
    assert MlflowClient().search_registered_models() == []


@pytest.mark.usefixtures("store")
def test_a_run_that_was_deleted_is_not_gone_on_with(monkeypatch):
    client = MlflowClient()
    run_id = client.create_run(client.get_experiment_by_name("rare").experiment_id).info.run_id
    client.delete_run(run_id)
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    text, _ = refusal()
    assert text == (
        f"MLFLOW_RUN_ID='{run_id}' names a deleted run; unset it, or restore the run with `mlflow runs "
        f"restore --run-id {run_id}`"
    )


def test_a_server_that_never_answers_is_given_up_after_the_users_timeout(silent_port):
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "1"
    began = time.monotonic()
    text, _ = refusal(uri=f"http://127.0.0.1:{silent_port}")
    assert time.monotonic() - began < 5
    assert "does not answer (ReadTimeout)" in text or "does not answer (ConnectionError)" in text


def test_the_patience_of_later_requests_is_untouched(closed_port):
    refusal(uri=f"http://127.0.0.1:{closed_port}")
    assert not [name for name in os.environ if name.startswith("MLFLOW_HTTP")]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_is_told_from_one_that_is_down(status):
    with serve(status) as server:
        text, shown = refusal(uri=f"http://bob:s3cret@127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "refuses the first request" in text
    assert "MLFLOW_TRACKING_PASSWORD" in text
    assert "s3cret" not in shown


def test_a_database_whose_driver_is_missing_names_the_package():
    text, shown = refusal(uri="mssql+pymssql://bob:s3cret@127.0.0.1/x")
    assert "needs the Python package 'pymssql'; install it" in text
    assert "s3cret" not in shown


def test_a_database_address_that_cannot_be_read_is_refused():
    text, shown = refusal(uri="postgresql://bob:s3cret/@host:here/db")
    assert text.startswith(
        "the tracking database 'postgresql://***@host:here/db' has an address that cannot be read"
    )
    assert "dialect://user:password@host:port/name" in text
    assert "s3cret" not in shown


@pytest.mark.parametrize("uri", ["ftp://bob:s3cret@host/x", "./mlruns"])
def test_a_store_that_mlflow_does_not_write_is_refused(uri):
    text, shown = refusal(uri=uri)
    assert text.startswith(f"the tracking store {without_secrets(uri)!r} cannot be used (")
    assert "take sqlite:///mlflow.db" in text
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://bob:s3cret@host:5000/p", "https://***@host:5000/p"),
        ("https://token@host", "https://***@host"),
        ("postgresql://bob:p@ss/w@host/db?password=s3cret", "postgresql://***@host/db?***"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_a_shown_uri_holds_no_secret(uri, shown):
    assert without_secrets(uri) == shown


@pytest.mark.usefixtures("store")
def test_mlflow_is_quiet_unless_the_user_wants_it_loud(capfd):
    assert logging.getLogger("mlflow").level == logging.WARNING
    capfd.readouterr()
    prepare_store("another")
    assert capfd.readouterr() == ("", "")
    os.environ["MLFLOW_LOGGING_LEVEL"] = "INFO"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "true"
    prepare_store("a third")
    assert os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] == "true"
    assert "Creating a new experiment" in capfd.readouterr().err
