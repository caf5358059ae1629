import inspect
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

import rareflow as package
from rareflow.cli import main
from rareflow.cli.train import train
from rareflow.errors import DataError, StoreError
from rareflow.workflows import prepare
from tests.workflows.commands import rareflow, workplace


@pytest.fixture(autouse=True)
def folder(tmp_path):
    with workplace(tmp_path):
        yield tmp_path


def frame(rows=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "pressure": rng.normal(size=rows),
            "length": rng.integers(0, 9, rows),
            "result": np.where(np.arange(rows) % 4, "Normal", "DOS"),
        }
    )


def holds(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(folder, *words):
    """The one line that a command is refused with; it must leave the folder as it is."""
    before = holds(folder)
    ended = rareflow(*words)
    assert ended.code == 2
    assert ended.out == ""
    (line,) = ended.said
    assert line.startswith("rareflow: ")
    assert all(" Reading " in each for each in ended.progress), "work was begun"
    assert holds(folder) == before
    return line


def spoiled(change):
    def write(path):
        change(frame()).to_csv(path, index=False)

    return write


def written(text):
    return lambda path: path.write_text(text)


def truncated(path):
    frame().to_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])


def one_row_class(table):
    table.loc[3, "result"] = "Recon"
    return table


def text_among_numbers(table):
    return table.assign(pressure=[*table["pressure"].astype(str)[:-1], "high"])


def label_twice(path):
    text = frame().to_csv(index=False).replace("pressure", "result", 1)
    path.write_text(text)


ARFF = "@relation r\n@attribute a numeric\n@attribute result {0,1}\n@data\n1,0\n2,1\n3,2\n4,0\n"

BAD_TABLES = {
    "a missing label column": ("t.csv", spoiled(lambda t: t.rename(columns={"result": "resalt"})),
        ("no label column 'result'", "did you mean resalt?")),
    "a label column that is there twice": ("t.csv", label_twice,
        ("label column 'result' occurs twice", "--drop result.1")),
    "one class only": ("t.csv", spoiled(lambda t: t.assign(result="DOS")),
        ("'result' holds one class only", "'DOS'", "--label")),
    "a class of one row": ("t.csv", spoiled(one_row_class),
        ("one row in the whole table", "'Recon'", "--rare-classes drop")),
    "a column without a value": ("t.csv", spoiled(lambda t: t.assign(crc=np.nan)),
        ("no value at all: crc", "--drop crc")),
    "infinite values without a rule": ("t.csv", spoiled(lambda t: t.assign(rate=[np.inf, *[1.0] * 39])),
        ("infinite values in 'rate' (1 rows)", "--infinities missing|drop", "--recipe")),
    "undeclared text among numbers": ("t.csv", spoiled(text_among_numbers),
        ("'pressure' ('high' among numbers, row 40)", "--categorical pressure", "--drop pressure")),
    "rows without a label": ("t.csv", spoiled(lambda t: t.assign(result=[None, *t["result"][1:]])),
        ("'result': 1 rows have no label", "label these rows or remove them")),
    "an empty file": ("t.csv", written(""), ("t.csv", "empty")),
    "a file without rows": ("t.csv", written("pressure,result\n"), ("t.csv", "no rows")),
    "a truncated parquet": ("t.parquet", truncated, ("t.parquet", "cut short")),
    "an undeclared nominal": ("t.arff", written(ARFF), ("t.arff", "'2'", "result")),
    "another kind of file": ("t.xlsx", written("a"), ("t.xlsx", ".csv", "convert")),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_table_that_cannot_be_used_is_refused_in_one_line_with_the_remedy(case, folder):
    name, write, expected = BAD_TABLES[case]
    write(folder / name)
    line = refused(folder, "tune", "--data", name, "--label", "result")
    assert [part for part in expected if part not in line] == []


def many_ports(rows=2_400):
    """Two columns of more categories than a generator learns, and one of fewer."""
    flows = frame(rows)
    counts = {"from": 1_200, "service": 900, "to": 2_400}
    return flows.assign(**{name: pd.Categorical(np.arange(rows) % n) for name, n in counts.items()})


@pytest.mark.parametrize(
    "words", [("train",), ("tune",), ("benchmark",), ("benchmark", "--augmenters", "RAW,SMOTE,WGAN-GP")]
)
def test_more_categories_than_a_generator_learns_are_refused_before_any_work(words, folder):
    many_ports().to_parquet(folder / "t.parquet")
    line = refused(folder, *words, "--data", "t.parquet", "--label", "result")
    assert line.endswith(
        ": 'from' (1,200 categories), 'to' (2,400 categories); leave them out with --drop from,to"
    )


def test_a_benchmark_that_trains_no_generator_takes_any_number_of_categories(folder):
    ports = many_ports(1_200)[["to", "result"]]
    ports.to_parquet(folder / "t.parquet")
    words = ("--augmenters", "RAW", "--detectors", "dt", "--seeds", 1, "--repeats", 1, "--fidelity", "false")
    ended = rareflow("benchmark", "--data", "t.parquet", "--label", "result", *words)
    assert ended.code == 0, ended.said


def test_a_wrong_path_is_refused_with_the_file_that_is_meant(folder):
    spoiled(lambda t: t)(folder / "traffic.csv")
    line = refused(folder, "tune", "--data", "trafic.csv", "--label", "result")
    assert "no such file or folder: trafic.csv" in line
    assert "traffic.csv" in line.replace("trafic.csv", "")


def test_a_label_that_is_dropped_as_well_is_refused(folder):
    spoiled(lambda t: t)(folder / "t.csv")
    line = refused(folder, "tune", "--data", "t.csv", "--label", "result", "--drop", "length,result")
    assert "'result' is given twice, as --label and in --drop" in line


def test_no_label_at_all_is_refused(folder):
    spoiled(lambda t: t)(folder / "t.csv")
    assert "add --label NAME, as in --label result" in refused(folder, "prepare", "--data", "t.csv")


@pytest.mark.parametrize("command", ["tune", "train", "evaluate"])
def test_a_label_that_occurs_in_the_test_part_only_is_refused_before_any_work(command, folder):
    frame().to_csv(folder / "train.csv", index=False)
    frame().replace("DOS", "Recon").to_csv(folder / "test.csv", index=False)
    line = refused(folder, command, "--data", "train.csv", "--test", "test.csv", "--label", "result")
    assert line.startswith("rareflow: test.csv: classes that occur in the test part only: 'Recon' (10 rows);")
    assert "add training rows of them, or leave them out of the test part with --unseen-classes drop" in line


@pytest.mark.parametrize("command", ["tune", "train", "benchmark", "evaluate"])
def test_every_command_with_a_test_file_is_told_what_becomes_of_classes_that_only_it_holds(command, folder):
    line = refused(folder, command, "--test", "t.csv", "--unseen-classes", "keep")
    assert line == "rareflow: --unseen-classes 'keep' is none of error, drop"


@pytest.mark.parametrize("model", [False, True])
def test_classes_that_only_a_test_file_holds_are_left_out_where_asked_and_scores_are_those_without(
    model, folder
):
    frame().to_csv(folder / "train.csv", index=False)
    further = frame(50).assign(result=["Recon", "MPCI"] * 25)
    for name, table in {"cut": frame(60), "test": pd.concat([frame(60), further])}.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    how, words = ("--data", "train.csv", "--label", "result"), ()
    if model:
        ended = rareflow("train", *how, "--steps", 2, "--hidden-dim", 8)
        words = ("--model", next(word for word in ended.out.split() if word.startswith("models:/")))
    cut = rareflow("evaluate", *how, *words, "--test", "cut.csv")
    ended = rareflow("evaluate", *how, *words, "--test", "test.csv", "--unseen-classes", "drop")
    assert (cut.code, ended.code, ended.said) == (0, 0, [])
    assert any(
        "test.csv: 50 rows were left out: the training table has no row of their class, 'MPCI' (25 rows), "
        "'Recon' (25 rows)." in line
        for line in ended.progress
    )
    protocol, *scores = ended.out.splitlines()
    assert protocol == "Test part (test file test.csv, its classes without a training row left out, seed 0):"
    assert scores[:4] == cut.out.splitlines()[1:5]


def test_a_test_file_that_lacks_a_column_is_refused_before_any_work(folder):
    frame().to_csv(folder / "train.csv", index=False)
    frame().drop(columns="length").to_csv(folder / "test.csv", index=False)
    line = refused(folder, "tune", "--data", "train.csv", "--test", "test.csv", "--label", "result")
    assert "the test file lacks the columns 'length'" in line


def test_columns_that_a_test_file_has_alone_are_left_out_and_said(folder):
    frame().to_csv(folder / "train.csv", index=False)
    frame().assign(day="Friday", rate=1.5).to_csv(folder / "test.csv", index=False)
    ended = rareflow("evaluate", "--data", "train.csv", "--test", "test.csv", "--label", "result")
    assert ended.code == 0
    said = "test.csv: Columns that the training table lacks were left out: day, rate."
    assert said in "\n".join(ended.progress)


def test_a_test_file_with_other_values_than_numbers_is_refused_before_any_work(folder):
    frame().to_csv(folder / "train.csv", index=False)
    frame().assign(length=frame()["length"] > 4).to_csv(folder / "test.csv", index=False)
    line = refused(folder, "evaluate", "--data", "train.csv", "--test", "test.csv", "--label", "result")
    assert "column 'length' holds bool in the test file and int64 in the training table" in line


@pytest.mark.fault
def test_a_table_does_not_change_where_its_card_cannot_be_written(folder, monkeypatch):
    words = ("prepare", "--rows", 300, "--out", "old.csv")
    (folder / "old.csv").write_text("old")
    (folder / "old.csv.md").mkdir()
    assert "the card of --out 'old.csv' cannot be written: 'old.csv.md' is a folder; rename one" in refused(
        folder, *words
    )
    (folder / "old.csv.md").rmdir()

    def full(_card, path):
        raise StoreError(f"{path} cannot be written (No space left on device); what stood there is unchanged")

    monkeypatch.setattr(prepare, "write_text", full)
    ended = rareflow(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "No space left on device" in ended.said[-1]
    assert (folder / "old.csv").read_text() == "old"


@pytest.mark.parametrize("command", ["prepare", "augment"])
@pytest.mark.parametrize(
    ("out", "complaint"),
    [
        ("/proc/table.parquet", "give a folder that you may write"),
        ("a-file/table.parquet", "'a-file' must be a folder"),
        ("nowhere/table.csv", "'nowhere' must be a folder"),
        ("a-folder.csv", "'a-folder.csv' a file in it"),
        ("table.xlsx", "must end in .parquet, .csv, .csv.gz"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_any_work(command, out, complaint, folder):
    if out.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("/proc is Linux's: a folder in which nobody can make a file")
    (folder / "a-file").write_text("")
    (folder / "a-folder.csv").mkdir()
    line = refused(folder, command, "--rows", "600", "--out", out)
    assert f"--out {out!r}" in line
    assert complaint in line


def test_a_folder_in_which_no_database_can_be_made_is_refused(folder, monkeypatch):
    if not Path("/proc/self").exists():
        pytest.skip("/proc is Linux's: a folder in which nobody can make a file")
    monkeypatch.chdir("/proc")
    line = refused(folder, "tune", "--rows", "600", "--tune-rows", "300")
    assert "the study's storage 'sqlite:///optuna.db' cannot be used" in line
    line = refused(folder, "train", "--rows", "600")
    assert "the tracking database 'sqlite:////proc/mlflow.db' cannot be opened for writing" in line


def test_a_tracking_store_that_is_refused_leaves_no_study_behind(folder):
    os.environ["MLFLOW_TRACKING_URI"] = "ftp://host/x"
    assert "the tracking store 'ftp://host/x'" in refused(
        folder, "tune", "--rows", "600", "--tune-rows", "300"
    )


def test_a_storage_that_is_refused_leaves_no_tracking_store_behind(folder):
    (folder / "file").write_text("no database " * 100)
    line = refused(folder, "tune", "--rows", "600", "--tune-rows", "300", "--storage", "sqlite:///file")
    assert "the study's storage 'sqlite:///file'" in line
    assert "--storage" in line


@pytest.mark.parametrize("command", ["augment", "evaluate"])
def test_a_model_without_a_store_is_refused_and_no_store_is_made(command, folder):
    line = refused(folder, command, "--rows", "600", "--model", "models:/nope@champion")
    assert f"there is no tracking store 'sqlite:///{folder}/mlflow.db'" in line
    assert "run `rareflow tune` here first" in line


BAD_OPTIONS = [
    ("tune", "--split", "diagonal", "random, grouped, blocked"),
    ("tune", "--test-size", "2", "between 0 and 1"),
    ("tune", "--test-size", "0", "between 0 and 1"),
    ("tune", "--experiment", " ", "is no name; give one, such as rareflow"),
    ("tune", "--device", "tpu", "auto, cpu, cuda"),
    ("tune", "--n-trials", "1", "2"),
    ("tune", "--repeats", "0", "1"),
    ("tune", "--jobs", "0", "1, not '0'"),
    ("tune", "--seed", "-1", "0"),
    ("evaluate", "--seed", "20261126120000", "4000000000"),
    ("benchmark", "--seed", "4294967295", "4000000000"),
    ("tune", "--n-threads", "0", "1"),
    ("tune", "--rows", "many", "as an integer, not 'many'"),
    ("tune", "--tune-rows", "10", "2 rows for each of 8 classes"),
    ("tune", "--storage", "nonsense", "sqlite:///optuna.db"),
    ("tune", "--launcher", "slurm", "local, dask"),
    ("tune", "--launcher", "dask", "needs the address of a Dask scheduler, such as tcp://host:8786"),
    ("tune", "--scheduler", "tcp://host:8786", "no other launcher has one"),
    ("augment", "--launcher", "dask", "needs the address of a Dask scheduler, such as tcp://host:8786"),
    ("tune", "--recipe", "kdd", "gas-pipeline"),
    ("tune", "--infinities", "keep", "missing|drop"),
    ("tune", "--rare-classes", "spare", "error|drop|merge"),
    ("tune", "--drop", "tme", "did you mean time?"),
    ("tune", "--categorical", "pmup", "did you mean pump?"),
    ("tune", "--steps", "5", "No such option"),
    ("train", "--architecture", "gan", "vae-wgan-gp, vae, wgan-gp, wgan"),
    ("train", "--latent-dim", "0", "at least 1"),
    ("train", "--lambda-gp", "-1", "at least 0"),
    ("train", "--n-critic", "0", "at least 1"),
    ("train", "--learning-rate", "nan", "finite"),
    ("train", "--steps", "0", "at least 1"),
    ("train", "--codec", "log", "asinh, quantile, zscore"),
    ("train", "--sampling", "vibes", "prior, posterior"),
    ("train", "--n-neighbors", "0", "from 1 to 2000"),
    ("train", "--noise", "-1", "from 0 to 1000000"),
    ("train", "--filter", "perhaps", "neither true nor false"),
    ("train", "--snap", "finger", "none, shared, observed"),
    *(
        (command, "--class-rows", value, f"'{value}' is no whole number of 0 or more, such as 700")
        for command in ("train", "augment")
        for value in ("-1", "2.5", "inf", "lots")
    ),
    ("train", "--device", "tpu", "auto, cpu, cuda"),
    ("evaluate", "--split", "diagonal", "random, grouped, blocked"),
]


@pytest.mark.parametrize(("command", "option", "value", "remedy"), BAD_OPTIONS)
def test_an_option_out_of_its_range_is_refused_before_any_work(command, option, value, remedy, folder):
    rows = [] if option == "--rows" else ["--rows", "600"]
    line = refused(folder, command, *rows, option, value)
    name = option.removeprefix("--")
    assert name in line or name.replace("-", "_") in line
    assert remedy in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize("command", ["tune", "train"])
def test_a_device_that_is_not_there_is_refused(command, folder):
    line = refused(folder, command, "--device", "cuda")
    assert "--device cuda: this torch sees no CUDA device; give --device cpu" in line


def test_rows_are_refused_for_a_table_that_is_not_simulated(folder):
    frame().to_csv(folder / "t.csv", index=False)
    line = refused(folder, "prepare", "--data", "t.csv", "--label", "result", "--rows", "5")
    assert "--rows 5 is for --data simulated-gas-pipeline only" in line


def test_the_defaults_of_train_are_those_of_the_generator():
    given = {name: each.default for name, each in inspect.signature(train).parameters.items()}
    given |= {"sampling": given["sampling"] or None, "filter": given["filter"] == "true"}
    params = package.VAEWGANGP().get_params()
    del params["random_state"]  # a command has a seed
    assert {name: given[name] for name in params} == params


def test_columns_given_in_pieces_are_refused_because_only_the_last_would_count(folder):
    frame().to_csv(folder / "t.csv", index=False)
    words = ("prepare", "--data", "t.csv", "--label", "result", "--out", "u.csv", "--drop", "length")
    assert "--drop is given twice; give all columns at once, as in --drop a,b" in refused(
        folder, *words, "--drop=pressure"
    )


def test_a_link_that_leads_among_the_data_is_not_written_to(folder):
    (folder / "data").mkdir()
    frame().to_csv(folder / "data" / "t.csv", index=False)
    for name in ("t.csv", "new.csv"):
        (folder / name).symlink_to(folder / "data" / name)
        line = refused(folder, "prepare", "--data", "data/*.csv", "--label", "result", "--out", name)
        assert f"--out '{name}' " in line


def test_a_file_that_is_read_is_not_written_over(folder):
    frame().to_csv(folder / "t.csv", index=False)
    line = refused(folder, "prepare", "--data", "*.csv", "--label", "result", "--out", "./t.csv")
    assert "--out 't.csv' is a file that --data names; give --out another name" in line
    assert pd.read_csv(folder / "t.csv").equals(frame())


@pytest.mark.parametrize("data", ["days", "days/", "d*s/*.csv", "{folder}/days/*"])
@pytest.mark.parametrize("out", ["days/all.csv", "./days/../days/all.csv"])
def test_a_table_is_not_written_to_where_it_would_be_read_from_next_time(folder, data, out):
    (folder / "days").mkdir()
    frame().to_csv(folder / "days" / "t.csv", index=False)
    words = ("prepare", "--data", data.format(folder=folder), "--label", "result", "--out")
    assert "would be among the files of --data" in refused(folder, *words, out)
    assert [path.name for path in (folder / "days").iterdir()] == ["t.csv"]
    assert rareflow(*words, "all.csv").code == 0


class _Gone:
    """A stream whose reader is gone."""

    def write(self, _):
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [None, _Gone()])
def test_work_goes_on_where_nobody_reads_its_progress(folder, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(SystemExit) as end:
        main(["prepare", "--rows", "300", "--out", str(folder / "t.csv")])
    assert not end.value.code
    assert len(pd.read_csv(folder / "t.csv")) == 300
    sys.stderr.write("what others have to say")


def test_a_command_that_does_not_exist_is_refused(folder):
    assert "No such command 'tun'" in refused(folder, "tun")
    assert "requires an argument" in refused(folder, "tune", "--split")


def test_debug_raises_what_would_be_one_line():
    with pytest.raises(DataError, match=r"no such file or folder: x\.csv"):
        main(["tune", "--data", "x.csv", "--debug"])


def test_an_error_of_our_own_is_one_line_too_and_fails(monkeypatch):
    def broken(*_args, **_options):
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(prepare, "run", broken)
    ended = rareflow("prepare")
    assert ended.code == 1
    assert ended.said == ["rareflow: ZeroDivisionError: one two (run again with --debug to see where)"]


@pytest.mark.fault
@pytest.mark.parametrize(
    "error",
    [
        MlflowException("Run 'abc' not found", error_code=RESOURCE_DOES_NOT_EXIST),
        MlflowException("Run 'abc' not found: it must be in the 'active' state. Current state is deleted."),
    ],
)
def test_what_is_deleted_in_the_middle_of_the_work_is_told_with_a_remedy(error, monkeypatch):
    def deleted(*_args, **_options):
        raise error

    monkeypatch.setattr(prepare, "run", deleted)
    ended = rareflow("prepare")
    assert ended.code == 2
    (line,) = ended.said
    assert line.startswith("rareflow: something that the work needs is not in the tracking store any more (")
    assert "Run 'abc' not found" in line
    assert "`mlflow runs restore`" in line


def test_ctrl_c_is_one_line_and_its_own_exit_code(monkeypatch):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "run", interrupted)
    ended = rareflow("prepare")
    assert ended.code == 130
    (line,) = ended.said
    assert line.startswith("rareflow: stopped")


def test_the_version_is_told():
    assert rareflow("--version").out == f"{version('rareflow')}\n"


def test_the_package_lists_its_public_names_before_they_are_imported():
    assert set(dir(package)) == set(package.__all__)


def test_without_words_the_help_is_shown():
    ended = rareflow()
    assert ended.code == 0
    assert "Usage: rareflow" in ended.out


@pytest.mark.parametrize(
    ("commands", "heavy"),
    [
        ([["--help"], ["tune", "--help"]], {"torch", "mlflow", "optuna", "sklearn", "pandas"}),
        ([["prepare", "--rows", "300", "--out", "out.csv"]], {"torch", "mlflow", "optuna", "sklearn"}),
    ],
)
@pytest.mark.usefixtures("folder")
def test_commands_load_no_heavy_library_that_they_do_not_need(commands, heavy):
    script = f"""\
import sys
from rareflow.cli import main
for words in {commands}:
    try:
        main(words)
    except SystemExit as end:
        assert end.code == 0
assert not {heavy} & set(sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_python_m_rareflow_is_the_command_line():
    command = [sys.executable, "-m", "rareflow", "nope"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "rareflow: No such command 'nope'. (see rareflow --help)\n"


def test_official_parts_may_hold_classes_of_one_row(folder):
    """No split has to hold them on both sides."""
    lone = frame().assign(result=["Recon", *frame()["result"][1:]])
    for name in ("train.csv", "test.csv"):
        lone.to_csv(folder / name, index=False)
    ended = rareflow("evaluate", "--data", "train.csv", "--test", "test.csv", "--label", "result")
    assert ended.code == 0
    assert "RAW" in ended.out


def test_the_remedies_for_a_column_whose_name_holds_a_comma_can_be_carried_out(folder):
    frame().assign(**{"bytes,in": ["many", "few"] * 20, "x": "one"}).to_csv(folder / "t.csv", index=False)
    line = refused(folder, "prepare", "--data", "t.csv", "--label", "result")
    categorical, drop = re.fullmatch(r".*; add (--categorical .*) or (--drop .*)", line).groups()
    for remedy in (categorical, drop):
        ended = rareflow("prepare", "--data", "t.csv", "--label", "result", *shlex.split(remedy))
        assert ended.code == 0
        assert ("bytes,in" in pd.read_parquet(folder / "table.parquet")) == (remedy == categorical)


SERVICES = {80: "normal", 443: "dos", 22: "probe"}


def services(*further):
    """A table in which the service says the class, and rows of further services, normal ones."""
    names = [*SERVICES] * 20 + [*further] * 20
    labels = [SERVICES.get(name, "normal") for name in names]
    return pd.DataFrame({"noise": np.arange(len(names)) % 7, "svc": names, "label": labels})


@pytest.mark.parametrize(("train", "test"), [(["http"], []), ([], ["http"]), (["http"], ["ftp"])])
def test_a_category_is_the_same_whether_it_is_read_as_text_or_as_a_number(train, test, folder):
    services(*train).to_csv(folder / "train.csv", index=False)
    services(*test).query("svc not in ['http', 'ftp']").to_csv(folder / "known.csv", index=False)
    services(*test).to_csv(folder / "test.csv", index=False)
    words = ("evaluate", "--data", "train.csv", "--label", "label", "--categorical", "svc", "--test")
    ended = rareflow(*words, "known.csv")
    assert re.search(r"RAW +100\.00", ended.out)
    ended = rareflow(*words, "test.csv")
    assert ended.code == 0, "an unknown category is none of those known"


def test_a_table_is_augmented_by_a_model_that_read_a_category_as_text(folder):
    services("http").to_csv(folder / "train.csv", index=False)
    services().query("label != 'probe' or noise < 2").to_csv(folder / "new.csv", index=False)
    how = ("--label", "label", "--categorical", "svc")
    ended = rareflow("train", "--data", "train.csv", *how, "--steps", 2, "--hidden-dim", 8)
    model = next(word for word in ended.out.split() if word.startswith("models:/"))
    ended = rareflow("augment", "--data", "new.csv", *how, "--model", model, "--mark", "forged")
    assert (ended.code, ended.said) == (0, [])
    made = pd.read_parquet(folder / "balanced.parquet")
    assert made["forged"].any()
    assert made["svc"][~made["forged"]].tolist() == [
        str(svc) for svc in pd.read_csv(folder / "new.csv")["svc"]
    ]
    assert set(made["svc"].cat.categories) == {"22", "443", "80", "http"}
    ended = rareflow("evaluate", "--data", "new.csv", *how, "--model", model)
    assert ended.code == 0
    assert "Beware: --model was trained on" in ended.out


def test_the_command_that_train_prints_reads_the_table_as_train_did(folder):
    table = services("http").assign(**{"src ip": [f"10.0.0.{i}" for i in range(80)], "rate,s": np.inf})
    table.loc[5:, "rate,s"] = np.arange(75.0)
    table.to_csv(folder / "train.csv", index=False)
    how = ("--label", "label", "--categorical", "svc", "--drop", "src ip", "--infinities", "drop")
    ended = rareflow("train", "--data", "train.csv", *how, "--steps", 2, "--hidden-dim", 8)
    printed = ended.out.splitlines()[-1].partition("rareflow augment ")[2]
    assert " --drop 'src ip' --categorical svc --infinities drop --out " in printed
    ended = rareflow("augment", *shlex.split(printed.replace("FILE", "train.csv")))
    assert (ended.code, ended.said) == (0, [])


@pytest.mark.parametrize("command", ["augment", "evaluate"])
def test_a_label_that_is_another_than_the_models_is_refused_with_the_models(command, folder):
    services().to_csv(folder / "train.csv", index=False)
    how = ("--data", "train.csv", "--categorical", "svc")
    ended = rareflow("train", *how, "--label", "label", "--steps", 2, "--hidden-dim", 8)
    model = next(word for word in ended.out.split() if word.startswith("models:/"))
    ended = rareflow(command, *how, "--label", "noise", "--model", model)
    assert ended.code == 2
    assert ended.said == [
        "rareflow: --label 'noise': the label of --model is 'label'; give that one, or leave --label out"
    ]


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_a_test_file_of_one_class_is_scored(command, folder):
    frame().to_csv(folder / "train.csv", index=False)
    frame().query("result == 'DOS'").to_csv(folder / "test.csv", index=False)
    steps = ("--steps", 2, "--hidden-dim", 8) if command == "train" else ()
    words = ("--data", "train.csv", "--test", "test.csv", "--label", "result")
    ended = rareflow(command, *words, *steps)
    assert ended.code == 0
    assert "RAW" in ended.out


@pytest.mark.parametrize("strangers", [0, 30])
def test_evaluate_says_and_logs_how_many_test_rows_equal_a_training_row(strangers, folder):
    given = frame()
    given.to_csv(folder / "train.csv", index=False)
    test = given.assign(pressure=given["pressure"] + (np.arange(40) < strangers))
    test.to_csv(folder / "test.csv", index=False)
    ended = rareflow("evaluate", "--data", "train.csv", "--test", "test.csv", "--label", "result")
    assert ended.code == 0
    said = "\n".join(ended.progress)
    assert f"{40 - strangers} of the 40 test rows equal a training row, label included: " in said
    (run,) = MlflowClient().search_runs(["1"])
    assert run.data.metrics["test_rows_in_training_part"] == 40 - strangers
