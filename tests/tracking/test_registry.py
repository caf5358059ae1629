import gc
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient

from rareflow.generators import portable
from rareflow.generators.estimators import VAEWGANGP
from rareflow.tracking import registry
from rareflow.tracking.registry import log_generator, register
from rareflow.tracking.runs import parent_run
from tests.tracking.models import NAME, plant


def add(logged, name, value, *, digest="d", protocol="p", card="# card"):
    return register(
        logged[1],
        name,
        val_macro_f1=value,
        data_digest=digest,
        protocol=protocol,
        card=card,
        tags={"a": "b"},
    )


def aliases(client, name):
    return {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()}


def test_the_first_version_is_the_champion_whatever_its_score(client, logged):
    made = add(logged, "first", 0.1)
    assert (made.version, made.alias, made.reason) == ("1", "champion", "the first version of this model")
    assert made.uri == "models:/first/1"
    assert aliases(client, "first") == {"champion": 1}


def test_only_a_better_version_takes_the_championship(client, logged):
    add(logged, "better", 0.5)
    equal = add(logged, "better", 0.5)
    assert (equal.alias, equal.reason) == (
        "challenger",
        "not better: val_macro_f1 0.5000 against 0.5000 of version 1",
    )
    assert add(logged, "better", 0.4).alias == "challenger"
    assert aliases(client, "better") == {"champion": 1, "challenger": 3}
    best = add(logged, "better", 0.5 + 1e-9)
    assert best.alias == "champion"
    assert best.reason.startswith("better: ")
    assert best.reason.endswith("of version 1")
    assert aliases(client, "better") == {"champion": 4, "challenger": 3}


@pytest.mark.parametrize(
    ("change", "what"), [({"digest": "e"}, "other data"), ({"protocol": "q"}, "another protocol")]
)
def test_a_score_on_other_data_or_by_another_protocol_is_not_compared(change, what, client, logged):
    name = next(iter(change))
    add(logged, name, 0.5)
    made = add(logged, name, 0.9, **change)
    assert made.alias == "challenger"
    assert made.reason == f"champion version 1 was scored on {what}, so the two cannot be compared"
    assert aliases(client, name) == {"champion": 1, "challenger": 2}


def test_a_version_bears_its_card_its_tags_and_its_score_to_the_last_digit(client, logged):
    made = add(logged, "tags", 0.1 + 0.2)
    version = client.get_model_version("tags", made.version)
    assert version.description == "# card"
    sha256 = version.tags.pop("rareflow.sha256")
    assert re.fullmatch("[0-9a-f]{64}", sha256)
    assert version.tags == {"a": "b", "val_macro_f1": repr(0.1 + 0.2), "data_digest": "d", "protocol": "p"}


LAST = "\n\nThe card goes on: the whole of it is `model_card.md` among the artifacts of run `{}`.\n"


@pytest.mark.parametrize("length", [4_999, 5_000])
def test_a_card_that_the_registry_can_hold_is_the_description_as_it_is(length, client, logged):
    card = ("é" * 9 + "\n") * 499 + "é" * (length - 4_990)
    made = add(logged, "held", 0.5, card=card)
    assert client.get_model_version("held", made.version).description == card


@pytest.mark.parametrize("length", [1, 7, 60, 61, 62, 63, 5_000])
def test_a_longer_card_is_cut_at_a_lines_end_and_its_last_line_says_where_the_whole_is(
    length, client, logged
):
    line, last = "é" * length + "\n", LAST.format(logged[1].run_id)
    made = add(logged, "cut", 0.5, card="# card\n" + line * (5_001 // len(line) + 1))
    description = client.get_model_version("cut", made.version).description
    assert len(description) <= 5_000, "PostgreSQL refuses what is longer"
    assert description.endswith(last)
    lines = description.removesuffix(last).split("\n")
    assert lines == ["# card", *["é" * length] * (len(lines) - 1)], "no line is cut in two"
    assert len(description) + len(line) > 5_000, "another line would be too long"


def test_a_registration_that_is_interrupted_leaves_no_version(client, logged, monkeypatch):
    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", interrupted)
    with pytest.raises(KeyboardInterrupt):
        add(logged, "half", 0.5)
    assert client.search_model_versions("name = 'half'") == []


@pytest.mark.usefixtures("client")
def test_nothing_in_a_logged_model_is_pickled(logged):
    model = Path(mlflow.artifacts.download_artifacts(logged[1].model_uri))
    names = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
    assert {
        "serving.py",
        "artifacts/portable/generator.py",
        "artifacts/generator/spec.json",
        "artifacts/generator/weights.safetensors",
    } <= names
    assert not [name for name in names if Path(name).suffix in {".pkl", ".pickle", ".pt", ".pth", ".joblib"}]
    for code in Path(portable.__file__).parent.glob("*.py"):
        assert (model / "artifacts/portable" / code.name).read_text() == code.read_text()


@pytest.mark.usefixtures("client")
def test_the_requirements_are_exact_and_hold_neither_rareflow_nor_a_local_build(logged):
    model = Path(mlflow.artifacts.download_artifacts(logged[1].model_uri))
    lines = (model / "requirements.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in lines} == set(registry._PACKAGES)
    assert not [line for line in lines if "+" in line or "==" not in line]


def test_the_signature_takes_counts_by_label_and_gives_the_tables_columns(logged):
    signature = logged[1].signature
    assert [(spec["name"], spec["type"]) for spec in signature.inputs.to_dict()] == [
        ("label", "any"),
        ("count", "any"),
    ]
    assert [(spec.name, spec.type.name) for spec in signature.outputs] == [
        ("pressure", "double"),
        ("length", "long"),
        ("result", "string"),
        ("pump", "boolean"),
        ("mode", "string"),
        ("gain", "double"),
    ]
    assert [(spec.name, spec.dtype.name, spec.default) for spec in signature.params] == [
        ("seed", "long", None),
        ("temperature", "double", 1.0),
    ]


@pytest.mark.usefixtures("store")
def test_numbers_that_are_labels_are_asked_for_as_they_are_counted():
    y = pd.Series([0, 1] * 8, name="attack")
    fitted = VAEWGANGP(steps=1, hidden_dim=8, random_state=0).fit(pd.DataFrame({"a": np.arange(16.0)}), y)
    with parent_run("numbers"):
        made = log_generator(fitted.generator_, class_rows={})
    model = mlflow.pyfunc.load_model(made.model_uri)
    counts = y.value_counts().rename_axis("label").reset_index()
    for wanted in (counts, counts.astype({"label": str}), {"label": [0, 1], "count": [8, 8]}):
        assert model.predict(wanted)["attack"].value_counts().to_dict() == {0: 8, 1: 8}


ELSEWHERE = """\
import sys
for name in ("rareflow", "optuna", "typer"):
    sys.modules[name] = None  # as where it is not installed
import mlflow, pandas as pd

model = mlflow.pyfunc.load_model(sys.argv[1])
wanted = pd.DataFrame({"label": ["NMRI", "MSCI"], "count": [500, 300]})
draw = [model.predict(wanted, params={"seed": seed}) for seed in (7, 7, 8)]
draw += [model.predict(wanted), model.predict(wanted)]
pd.testing.assert_frame_equal(draw[0], draw[1], check_exact=True)
for i, j in ((0, 2), (0, 3), (3, 4)):
    assert not draw[i].equals(draw[j]), (i, j)
cold = model.predict(wanted, params={"seed": 7, "temperature": 0.0})
assert not cold.equals(draw[0])
draw[0].to_parquet(sys.argv[2])
"""


@pytest.mark.fault
def test_a_registered_model_makes_the_table_where_rareflow_is_not_installed(logged, folder):
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "MLFLOW_TRACKING_URI": logged[0],
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    command = [sys.executable, "-c", ELSEWHERE, f"models:/{NAME}/1", "drawn.parquet"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    drawn, table = pd.read_parquet(folder / "drawn.parquet"), plant()
    assert len(drawn) == 800
    assert drawn["result"].tolist() == ["NMRI"] * 500 + ["MSCI"] * 300
    assert drawn.dtypes.to_dict() == table.dtypes.to_dict()
    assert list(drawn.columns) == list(table.columns)
    for name in ("pressure", "length", "gain"):
        assert drawn[name].min() >= table[name].min()
        assert drawn[name].max() <= table[name].max()
    assert set(drawn["mode"]) <= {"auto", "manual", "off"}


@pytest.mark.usefixtures("client")
def test_two_versions_of_different_code_in_one_process_each_behave_as_themselves():
    wanted = pd.DataFrame({"label": ["NMRI"], "count": [5]})
    today, later = (mlflow.pyfunc.load_model(f"models:/{NAME}/{version}") for version in (1, 2))
    assert [len(model.predict(wanted)) for model in (today, later, today, later)] == [5, 10, 5, 10]
    again = mlflow.pyfunc.load_model(f"models:/{NAME}/1")
    assert [len(model.predict(wanted)) for model in (again, later)] == [5, 10]


@pytest.fixture(scope="module")
def address(logged, tmp_path_factory):
    """Where `mlflow models serve` serves the model, of which one call gives 40,000 rows at most."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [shutil.which("mlflow", path=str(Path(sys.executable).parent)), "models", "serve"]
    command += ["-m", f"models:/{NAME}/1", "--env-manager", "local", "-p", str(port), "-w", "1"]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": logged[0],
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_PYFUNC_INFERENCE_CONFIG": '{"max_rows": 40000}',
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with (
        (tmp_path_factory.mktemp("server") / "output.txt").open("w") as output,
        subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        ) as server,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/ping", server)
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            os.killpg(server.pid, 15)


def ask(address, *asked, **more):
    """Ask a server for counts by label; give the rows."""
    records = [{"label": label, "count": count} for label, count in asked]
    body = json.dumps({"dataframe_records": records, **more}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return json.load(answer)["predictions"]


def test_mlflow_serves_a_registered_model(address):
    rows = ask(address, ("NMRI", 5), ("MSCI", 3), params={"seed": 7})
    assert [row["result"] for row in rows] == ["NMRI"] * 5 + ["MSCI"] * 3
    assert set(rows[0]) == set(plant().columns)


@pytest.mark.fault
def test_eight_clients_at_once_each_get_what_they_asked_for(address):
    def client(number):
        asked = [("NMRI", 3 + number), ("MSCI", 2 * number)]
        answers = [ask(address, *asked, params={"seed": number}) for _ in range(5)]
        assert all(answer == answers[0] for answer in answers)
        return [row["result"] for row in answers[0]] == ["NMRI"] * (3 + number) + ["MSCI"] * 2 * number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(client, range(8))) == [True] * 8


@pytest.mark.fault
@pytest.mark.parametrize(
    ("label", "count", "said"),
    [
        (
            "worm",
            1,
            "label='worm' is not a class of this generator; its classes are ['MSCI', ",
        ),
        ("NMRI", -1, "count of label='NMRI' must be a whole number from 0 to"),
        ("NMRI", 1.5, "count of label='NMRI' must be a whole number from 0 to 9223372036854775807, not 1.5"),
        ("NMRI", 10**30, f"count of label='NMRI' must be a whole number from 0 to {2**63 - 1}, not 1000"),
        ("NMRI", "3", f"count of label='NMRI' must be a whole number from 0 to {2**63 - 1}, not '3'"),
        (None, 1, "label=nan is not a class of this generator"),
        ("NMRI", None, "count"),
        ("NMRI", 40_001, "the counts ask for 40,001 rows, more than max_rows=40000; ask for fewer at a time"),
    ],
)
def test_a_server_refuses_what_cannot_be_drawn_and_says_why(address, label, count, said):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(address, (label, count))
    assert caught.value.code == 400
    assert said in json.load(caught.value)["message"]
    assert len(ask(address, ("NMRI", 1))) == 1


@pytest.mark.fault
def test_a_server_refuses_a_seed_below_zero_and_says_why(address):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(address, ("NMRI", 1), params={"seed": -1})
    assert caught.value.code == 400
    assert "seed must be a whole number from 0, or None" in json.load(caught.value)["message"]


@pytest.mark.fault
@pytest.mark.usefixtures("client")
def test_max_rows_is_the_loaders_to_choose():
    wanted = pd.DataFrame({"label": ["NMRI"], "count": [1_000_001]})
    with pytest.raises(mlflow.exceptions.MlflowException, match="more than max_rows=1000000; ask for fewer"):
        mlflow.pyfunc.load_model(f"models:/{NAME}/1").predict(wanted)
    strict = mlflow.pyfunc.load_model(f"models:/{NAME}/1", model_config={"max_rows": 10})
    with pytest.raises(mlflow.exceptions.MlflowException, match="ask for 12 rows, more than max_rows=10;"):
        strict.predict(pd.DataFrame({"label": ["NMRI", "MSCI"], "count": [6, 6]}))
    assert len(strict.predict(pd.DataFrame({"label": ["NMRI", "MSCI"], "count": [6, 4]}))) == 10


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("max_rows", ["many", None, 2.7, -3, float("inf")])
def test_max_rows_that_are_no_number_are_refused_with_their_value(max_rows):
    with pytest.raises(mlflow.exceptions.MlflowException, match=f"whole number, .* not {max_rows!r}"):
        mlflow.pyfunc.load_model(f"models:/{NAME}/1", model_config={"max_rows": max_rows})


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.usefixtures("client")
def test_a_thousand_calls_take_no_more_memory_than_the_first_hundred():
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/1")
    wanted = pd.DataFrame({"label": ["NMRI", "MSCI"], "count": [300, 200]})
    process = psutil.Process()

    def used_after(calls):
        for seed in range(calls):
            assert len(model.predict(wanted, params={"seed": seed})) == 500
        gc.collect()
        return process.memory_info().rss

    before = used_after(100)
    assert used_after(1_000) - before < 20 * 2**20


def wait_for(address, server):
    for _ in range(240):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail("the server does not answer")
