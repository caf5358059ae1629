import os

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException

from rareflow.tracking import outage
from rareflow.tracking.outage import ServerAwayError, ask

URI = "http://bob:s3cret@host:5000"
RETRIES, TIMEOUT = "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"


@pytest.fixture(autouse=True)
def _forgets(monkeypatch):
    monkeypatch.setattr(outage, "_silent", set())


def raising(err, cause=None):
    def call():
        try:
            if cause:
                raise cause
        finally:
            raise err

    return call


def http(status):
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"HTTP {status}", response=response)


@pytest.mark.parametrize(
    "cause",
    [
        requests.ConnectionError("refused"),
        requests.Timeout("slow"),
        requests.exceptions.RetryError("too many 500 error responses"),
        requests.exceptions.ChunkedEncodingError("cut"),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_a_broken_connection_is_an_outage_whose_message_names_it_and_no_password(cause):
    with pytest.raises(ServerAwayError) as caught:
        ask(URI, raising(MlflowException(f"request to {URI} failed"), cause))
    assert str(caught.value) == (
        f"the server 'http://***@host:5000' does not answer any more ({type(cause).__name__}); "
        "when it does, run the same command again"
    )
    assert caught.value.__cause__ is None, "it quotes the whole address"


def test_a_gateway_that_answers_for_the_server_is_an_outage():
    with pytest.raises(ServerAwayError, match=r"\(HTTP 502\)"):
        ask(URI, raising(http(502)))


@pytest.mark.parametrize(
    "refusal",
    [
        RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"}),
        MlflowException("404 != 200"),
        http(403),
    ],
    ids=repr,
)
def test_what_a_server_answers_passes(refusal):
    with pytest.raises(type(refusal)) as caught:
        ask(URI, raising(refusal))
    assert caught.value is refusal


def test_no_error_of_a_database_is_an_outage():
    with pytest.raises(MlflowException, match="locked"):
        ask("sqlite:///mlflow.db", raising(MlflowException("locked"), requests.ConnectionError()))


REGISTRY = "http://eve:s3cret@registry:5000"


@pytest.mark.parametrize("uri", [URI, "sqlite:///mlflow.db"])
@pytest.mark.parametrize("asked", ["http://registry:5000/api", "https://elsewhere/api", None])
def test_a_registry_of_its_own_is_told_from_the_tracking_server(uri, asked, monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", REGISTRY)
    request = asked and requests.Request("GET", asked).prepare()
    call = raising(MlflowException("failed"), requests.ConnectionError("refused", request=request))
    if asked and "registry" not in asked:
        with pytest.raises(MlflowException, match="failed"):
            ask(uri, call)
        return
    with pytest.raises(ServerAwayError) as caught:
        ask(uri, call)
    expected = URI if asked is None and uri == URI else REGISTRY
    assert caught.value.uri == expected
    assert "s3cret" not in str(caught.value)
    assert ask(expected, patience) == ("0", "10")


def test_a_registry_that_was_silent_once_costs_the_tracking_server_no_patience(monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", REGISTRY)
    monkeypatch.delenv(RETRIES, raising=False)
    request = requests.Request("GET", f"{REGISTRY}/api").prepare()
    with pytest.raises(ServerAwayError):
        ask(URI, raising(MlflowException("failed"), requests.ConnectionError("refused", request=request)))
    assert ask(URI, patience) == (None, None)


def test_a_host_in_capitals_is_known_by_the_request_that_has_it_in_lower_case():
    request = requests.Request("GET", "http://host:9/api").prepare()
    with pytest.raises(ServerAwayError):
        ask("http://HoSt:9", raising(MlflowException("failed"), requests.ConnectionError(request=request)))


def patience():
    return os.environ.get(RETRIES), os.environ.get(TIMEOUT)


@pytest.mark.parametrize("silence", [requests.ConnectionError(), KeyboardInterrupt()], ids=repr)
def test_a_server_that_did_not_answer_is_asked_once_and_shortly_until_it_does(silence, monkeypatch):
    monkeypatch.delenv(RETRIES, raising=False)
    assert ask(URI, patience) == (None, None)
    with pytest.raises((ServerAwayError, KeyboardInterrupt)):
        ask(URI, raising(silence))
    assert ask("http://other", patience) == (None, None)
    assert ask(URI, patience) == ("0", "10")
    assert ask(URI, patience) == (None, None)


def test_a_patience_that_the_user_set_is_kept(monkeypatch):
    monkeypatch.setenv(RETRIES, "3")
    with pytest.raises(ServerAwayError):
        ask(URI, raising(requests.ConnectionError()))
    assert ask(URI, patience) == ("3", "10")
