import marshal
import py_compile
import shutil
from pathlib import Path
from py_compile import PycInvalidationMode

import mlflow
import pytest
from mlflow import MlflowClient

from rareflow.errors import StoreError
from rareflow.tracking.artifacts import digest, fetch
from rareflow.tracking.loading import load_generator
from rareflow.tracking.registry import register
from tests.tracking.models import NAME, fetched

pytestmark = pytest.mark.fault


@pytest.fixture
def version(client, logged):
    """A registered version, and where the store keeps its files; they are put back as they were."""
    made = register(
        logged[1], "tampered", val_macro_f1=0.5, data_digest="d", protocol="p", card="# card", tags={}
    )
    files = Path(client.get_logged_model(logged[1].model_id).artifact_location.removeprefix("file://"))
    backup = Path.cwd() / "backup"
    shutil.copytree(files, backup)
    yield f"models:/tampered/{made.version}", files
    shutil.rmtree(files)
    shutil.copytree(backup, files)


def refusal(uri):
    with pytest.raises(StoreError) as caught:
        load_generator(uri)
    text = str(caught.value)
    assert text.startswith(f"--model {uri!r} cannot be loaded (")
    assert "\n" not in text
    return text


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("uri", ["", ".", "folder", "file:{folder}"])
def test_a_folder_without_a_model_is_refused_and_not_copied(uri, folder, monkeypatch):
    Path("folder").mkdir()
    monkeypatch.setattr(shutil, "copytree", None)
    text = refusal(uri.format(folder=folder))
    assert "(the folder '" in text
    assert "' holds no MLmodel file, so no model); in" in text


@pytest.mark.parametrize(
    "name",
    [
        "MLmodel",
        "serving.py",
        "artifacts/portable/kernels.py",
        "artifacts/generator/spec.json",
        "artifacts/generator/weights.safetensors",
    ],
)
def test_a_version_of_which_one_byte_was_changed_is_refused_before_its_code_runs(version, name):
    uri, files = version
    load_generator(uri)
    ran = Path.cwd() / "ran"
    content = (files / name).read_bytes()
    more = f"open({str(ran)!r}, 'w')\n".encode() if name.endswith(".py") else b" "
    (files / name).write_bytes(
        content[:-1] + bytes([content[-1] ^ 1]) if name.endswith("tensors") else content + more
    )
    for way in (uri, "models:/tampered@champion", "models:/tampered/latest"):
        assert "its files are not the registered ones: SHA-256 " in refusal(way)
    assert not ran.exists()


def test_code_that_was_added_beside_the_registered_one_is_refused(version):
    uri, files = version
    (files / "artifacts/portable/spec.cpython-311-x86_64-linux-gnu.so").touch()  # Python would prefer it
    assert "its files are not the registered ones" in refusal(uri)


def test_what_python_compiled_of_the_code_in_the_store_is_not_run(version):
    uri, files = version
    code, ran = files / "artifacts/portable/spec.py", Path.cwd() / "ran"
    compiled = Path(py_compile.compile(str(code), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH))
    evil = compile(f"open({str(ran)!r}, 'w')", "spec.py", "exec")
    compiled.write_bytes(compiled.read_bytes()[:16] + marshal.dumps(evil))
    load_generator(uri)
    assert not ran.exists()


@pytest.mark.parametrize(
    "name",
    ["serving.py", "artifacts/portable/layout.py", "artifacts/generator/weights.safetensors", "MLmodel"],
)
def test_a_model_that_lacks_a_file_is_neither_loaded_nor_registered(version, logged, client, name):
    uri, files = version
    (files / name).unlink()
    refusal(uri)
    before = len(client.search_model_versions("name = 'tampered'"))
    with pytest.raises(StoreError):
        register(logged[1], "tampered", val_macro_f1=0.9, data_digest="d", protocol="p", card="c", tags={})
    with pytest.raises(StoreError):
        register(logged[1], "fresh", val_macro_f1=0.9, data_digest="d", protocol="p", card="c", tags={})
    assert len(client.search_model_versions("name = 'tampered'")) == before
    assert client.search_registered_models("name = 'fresh'") == []


@pytest.mark.usefixtures("client")
def test_a_logged_model_and_a_version_that_another_program_registered_are_held_against_their_digest(logged):
    files = Path(
        MlflowClient().get_logged_model(logged[1].model_id).artifact_location.removeprefix("file://")
    )
    code = (files / "serving.py").read_text()
    (files / "serving.py").write_text(code + "\n# later\n")
    try:
        for uri in (logged[1].model_uri, f"models:/{NAME}/1"):
            assert "its files are not the registered ones" in refusal(uri)
    finally:
        (files / "serving.py").write_text(code)


@pytest.mark.usefixtures("client")
def test_outside_of_rareflow_too_a_model_refuses_weights_that_are_not_its_own(logged, folder):
    model = fetched(logged, folder)
    weights = model / "artifacts/generator/weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"^weights\.safetensors has the SHA-256 .*tampered with"):
        mlflow.pyfunc.load_model(str(model))


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "path: artifacts/generator",
            "path: ../../elsewhere",
            "names '../../elsewhere', which lies outside of it",
        ),
        ("path: artifacts/generator", "path: /etc", "names '/etc', which lies outside of it"),
        ("path: artifacts/generator", "path: 7", "describes no generator"),
        (
            "loader_module: mlflow",
            "loader_module: os",
            "holds a pickle, code of another library",
        ),
        ("python_version:", "python_model: python_model.pkl\n    python_version:", "holds a pickle, code"),
        ("flavors:", "flavors: [", "describes no generator"),
        ("flavors:", "flavors: !!python/object/apply:os.getcwd []\nx:", "describes no generator"),
        ("python_function:", "other:", "describes no generator"),
        ("model_code_path:", "code: code\n    model_code_path:", "holds a pickle, code of another"),
        ("serving.py", "other.py", "holds a pickle, code of another library"),
    ],
)
def test_a_description_that_leads_elsewhere_is_refused(logged, folder, before, after, said):
    model = fetched(logged, folder)
    text = (model / "MLmodel").read_text()
    assert before in text
    (model / "MLmodel").write_text(text.replace(before, after, 1))
    with pytest.raises(StoreError, match="load a") as caught:
        fetch(str(model), folder / "own")
    assert said in str(caught.value)
    refusal(str(model))


@pytest.mark.usefixtures("client")
def test_a_digest_is_the_same_wherever_the_files_lie_and_needs_them_all(logged, folder):
    model = fetched(logged, folder)
    assert digest(model) == digest(Path(shutil.copytree(model, folder / "elsewhere")))
    (model / "artifacts/generator/spec.json").unlink()
    with pytest.raises(StoreError, match=r"lacks artifacts/generator/spec\.json: it is incomplete"):
        digest(model)
