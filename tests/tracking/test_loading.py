import re
import socket
from pathlib import Path

import mlflow
import pytest

from rareflow.errors import StoreError
from rareflow.tracking.loading import load_generator
from rareflow.tracking.outage import ServerAwayError
from tests.tracking.models import CLASS_ROWS, NAME


@pytest.mark.usefixtures("client")
def test_a_loaded_generator_comes_with_the_class_rows_its_study_chose():
    loaded = load_generator(f"models:/{NAME}/1")
    assert loaded.class_rows == CLASS_ROWS
    assert loaded.generator.classes == ["MSCI", "NMRI", "Normal"]


@pytest.mark.usefixtures("client")
def test_a_loaded_generator_says_what_loads_exactly_it_again():
    mlflow.MlflowClient().set_registered_model_alias(NAME, "chosen", "1")
    loaded = load_generator(f"models:/{NAME}@chosen")
    assert loaded.uri == f"models:/{NAME}/1"
    again = load_generator(loaded.uri, sha256=loaded.sha256)
    assert again.sha256 == loaded.sha256
    other = load_generator(f"models:/{NAME}/2")
    with pytest.raises(StoreError, match=f"SHA-256 {other.sha256}, recorded {loaded.sha256}"):
        load_generator(other.uri, sha256=loaded.sha256)


@pytest.mark.usefixtures("client")
def test_a_model_without_class_rows_leaves_every_class_alone(logged, folder):
    model = Path(mlflow.artifacts.download_artifacts(logged[1].model_uri, dst_path=str(folder / "older")))
    description = model / "MLmodel"
    written = description.read_text(encoding="utf-8")
    description.write_text(written.replace("  class_rows:", "  other:"), encoding="utf-8")
    loaded = load_generator(str(model))
    assert "  class_rows:" in written
    assert loaded.class_rows == {}


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    "uri", ["models:/nope@champion", f"models:/{NAME}/99", "runs:/0/generator", "nonsense"]
)
def test_a_model_that_cannot_be_loaded_is_refused_with_the_names_that_can(uri):
    with pytest.raises(StoreError) as caught:
        load_generator(uri)
    text = str(caught.value)
    assert text.startswith(f"--model {uri!r} cannot be loaded (")
    known = text.partition("in this tracking store registered are ")[2].split(", ")
    assert {name for name in known if re.fullmatch(f"models:/{NAME}(@.+|/2)", name)}
    assert "\n" not in text


@pytest.mark.usefixtures("store")
def test_a_store_without_models_says_how_to_make_one():
    with pytest.raises(StoreError, match="none is registered yet; `rareflow tune` makes one"):
        load_generator("models:/nope@champion")


@pytest.mark.usefixtures("client")
def test_a_registry_of_its_own_that_is_away_is_told_as_one(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"http://127.0.0.1:{port}")
    with pytest.raises(ServerAwayError, match=f"the server 'http://127.0.0.1:{port}' does not"):
        load_generator("models:/rareflow@champion")


@pytest.mark.usefixtures("folder")
def test_a_server_that_goes_away_before_a_model_is_loaded_is_told_as_one(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    mlflow.set_tracking_uri(f"http://127.0.0.1:{port}")
    with pytest.raises(ServerAwayError, match=f"the server 'http://127.0.0.1:{port}' does not"):
        load_generator("models:/rareflow@champion")


@pytest.mark.usefixtures("client")
def test_a_model_of_another_kind_is_refused(folder):
    script = folder / "other.py"
    script.write_text(
        "from mlflow.models import set_model\n"
        "from mlflow.pyfunc import PythonModel\n"
        "class Other(PythonModel):\n"
        "    def predict(self, context, model_input: list[str], params=None) -> list[str]:\n"
        "        return model_input\n"
        "set_model(Other())\n"
    )
    mlflow.pyfunc.save_model("other", python_model=str(script), pip_requirements=["mlflow"])
    with pytest.raises(StoreError, match=r"cannot be loaded \(.* code of another library"):
        load_generator(str(folder / "other"))
