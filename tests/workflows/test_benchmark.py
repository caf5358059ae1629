"""A benchmark from the command line: whole, interrupted, in processes, reported again, refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient

from rareflow.errors import DataError
from rareflow.tracking.spooling.spool import SPOOL, Spool, SpooledRun
from rareflow.workflows import benchmark
from rareflow.workflows.benchmarking import report
from rareflow.workflows.benchmarking.cells import Bench
from tests.workflows.commands import rareflow, workplace

COMMAND = (
    *("benchmark", "--rows", 600, "--shots", "5,all", "--seeds", 2, "--detectors", "dt", "--repeats", 1),
    *("--augmenters", "random oversampling,RAW,class weights"),
)
FILES = ("results", "classes", "fidelity")
N_CELLS = 12


def frames(folder):
    """A folder's files without what the clock says."""
    read = {name: pd.read_csv(Path(folder) / f"{name}.csv", dtype=str) for name in FILES}
    return {name: frame.drop(columns="seconds", errors="ignore") for name, frame in read.items()}


def equal(one, other):
    return all(frames(one)[name].equals(frames(other)[name]) for name in FILES)


def cells_told(ended):
    return [line.split(" (")[1].split("):")[0] for line in ended.progress if " cell " in line]


def spoil(monkeypatch, number, error):
    """Let an error come up in place of the cell of that number, counted from 1."""
    compute, begun = Bench.frames, []

    def frames_or_error(self, cell):
        begun.append(cell)
        if len(begun) == number:
            raise error
        return compute(self, cell)

    monkeypatch.setattr(Bench, "frames", frames_or_error)
    return begun


@pytest.fixture
def without_figures(monkeypatch):
    """They take a second each time."""
    monkeypatch.setattr(report, "_figures", lambda *_: iter(()))


@pytest.fixture(scope="module")
def place(tmp_path_factory, empty_database):
    """The folder after a whole benchmark, and how it ended."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copy(empty_database, folder / "mlflow.db")
    with workplace(folder):
        ended = rareflow(*COMMAND, "--out", "whole")
        yield SimpleNamespace(folder=folder, ended=ended, client=MlflowClient())


def parents(place):
    found = place.client.search_runs(["1"], order_by=["attributes.start_time DESC"])
    return [run for run in found if "mlflow.parentRunId" not in run.data.tags]


def children(place, parent):
    found = place.client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    return sorted(found, key=lambda run: run.info.run_name)


def test_a_benchmark_tells_every_cell_with_its_score_and_what_is_left(place):
    assert place.ended.code == 0, place.ended.said
    told = [line.partition(" ")[2] for line in place.ended.progress if " cell " in line]
    assert len(told) == N_CELLS
    assert told[0].startswith("cell 1 of 12 (5 shots, seed 0, random oversampling): macro-F1 ")
    assert told[0].endswith(", 2 augmenters not timed yet"), "RAW and class weights were never done"
    assert told[1].endswith(", 1 augmenter not timed yet")
    assert all("; about " in line for line in told[2:-1])
    assert told[-1].startswith("cell 12 of 12 (all rows, seed 1, class weights): macro-F1 ")
    assert "left" not in told[-1]


def test_a_benchmark_tells_of_every_part_before_it_makes_it_once(place):
    said = [line.partition(" ")[2] for line in place.ended.progress]
    told = [(at, line) for at, line in enumerate(said) if line.endswith("as it is on 1 inner split ...")]
    assert [line.partition(":")[0] for _, line in told] == [
        f"{shots}, seed {seed}" for shots in ("5 shots", "all rows") for seed in (0, 1)
    ]
    assert told[0][0] < next(at for at, line in enumerate(said) if " cells are done; " in line)
    for (at, line), number in zip(told[1:], (4, 7, 10), strict=True):
        part = line.partition(":")[0]
        assert said[at + 1].startswith(f"cell {number} of 12 ({part}, "), said[at + 1]


def test_a_benchmark_shows_the_comparisons_and_leaves_report_and_figures(place):
    assert "5 shots:\n| augmenter | macro F1, % | over RAW |" in place.ended.out
    assert place.ended.out.rstrip().endswith("The whole report: whole/report.md")
    report = (place.folder / "whole" / "report.md").read_text()
    assert "simulated: no row was measured" in report
    for line in report.splitlines():
        if line.startswith("!["):
            assert (place.folder / "whole" / line.split("(")[1].rstrip(")")).exists()


def test_the_files_hold_every_cell_in_the_order_of_the_tables(place):
    frame = frames(place.folder / "whole")["results"]
    assert list(dict.fromkeys(frame["augmenter"])) == ["RAW", "class weights", "random oversampling"]
    assert list(frame["shots"]) == ["5"] * 6 + ["all"] * 6
    assert len(frames(place.folder / "whole")["classes"]) == N_CELLS * 8
    assert set(frames(place.folder / "whole")["fidelity"]["augmenter"]) == {"random oversampling"}


def test_a_benchmark_is_a_parent_with_a_child_for_each_cell(place):
    (parent,) = (run for run in parents(place) if run.data.tags["augmenters"] != "RAW")
    found = {run.info.run_name: run for run in children(place, parent)}
    assert len(found) == N_CELLS
    child = found["5-shots-seed-1-class weights"]
    assert {run.info.status for run in [parent, *found.values()]} == {"FINISHED"}
    params = child.data.params
    assert (params["shots"], params["seed"], params["augmenter"]) == ("5", "1", "class weights")
    assert 0 <= float(params["amount"]) <= 1
    assert child.data.metrics["mean_macro_f1"] == child.data.metrics["test/dt/macro_f1"]
    f1 = frames(place.folder / "whole")["classes"].query(
        "shots == '5' and seed == '1' and augmenter == 'class weights'"
    )
    assert {key: value for key, value in child.data.metrics.items() if key.startswith("test/f1/")} == {
        f"test/f1/{label}": float(value) for label, value in zip(f1["class"], f1["f1"], strict=True)
    }
    forged = frames(place.folder / "whole")["fidelity"].groupby(["shots", "seed", "augmenter"]).groups
    measured = {name for name, run in found.items() if "privacy_copies" in run.data.metrics}
    assert measured == {f"{shots}-shots-seed-{seed}-{name}" for shots, seed, name in forged}
    assert parent.data.params["split"] == "random"
    assert {"data", "label", "drop", "recipe", "sample_rows", "inner_rows"} <= parent.data.params.keys()
    assert not {"seed", "n_threads", "device", "experiment"} & parent.data.params.keys()
    assert parent.data.tags["shots"] == "5,all"
    assert {"mean_macro_f1/5/RAW", "mean_macro_f1/all/class weights"} <= set(parent.data.metrics)
    names = {file.path for file in place.client.list_artifacts(parent.info.run_id)}
    assert {"report.md", "macro.csv", "comparison.csv", "results.csv", "classes.csv"} <= names
    assert {"fidelity.csv", "figures", "data_card.md"} <= names
    assert len(parent.inputs.dataset_inputs) == 1


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped; what was finished is kept, and the same command continues"),
        (DataError("too few rows"), 2, "5 shots, seed 1, RAW: too few rows"),
        (ZeroDivisionError("a bug"), 1, "ZeroDivisionError: a bug (run again with --debug to see where)"),
    ],
    ids=["Ctrl-C", "bad input", "a bug"],
)  # fmt: skip
def test_a_benchmark_that_was_stopped_goes_on_at_the_first_missing_cell(
    error, code, said, place, monkeypatch
):
    out = f"stopped-{code}"
    with monkeypatch.context() as patch:
        begun = spoil(patch, 5, error)
        ended = rareflow(*COMMAND, "--out", out)
    assert (ended.code, ended.said) == (code, [f"rareflow: {said}"])
    stopped = parents(place)[0]
    assert stopped.info.status == ("KILLED" if code == 130 else "FAILED")
    assert len(children(place, stopped)) == 4
    with monkeypatch.context() as patch:
        resumed = spoil(patch, None, error)
        again = rareflow(*COMMAND, "--out", out)
    assert again.code == 0, again.said
    assert resumed[0] == begun[4]
    assert len(resumed) == N_CELLS - 4
    assert equal(out, "whole")
    parent = parents(place)[0]
    assert (parent.info.run_id, parent.info.status) == (stopped.info.run_id, "FINISHED")
    assert len(children(place, parent)) == N_CELLS


def contents(place, run):
    """What a cell's run holds, without what the clock says."""
    metrics = {key: value for key, value in run.data.metrics.items() if key != "seconds"}
    files = [file.path for file in place.client.list_artifacts(run.info.run_id)]
    return (
        run.data.params,
        metrics,
        [mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{file}") for file in files],
    )


@pytest.mark.fault
@pytest.mark.usefixtures("without_figures")
def test_a_cell_that_was_kept_but_not_logged_is_logged_by_the_session_that_goes_on(place, monkeypatch):
    def log_two(parent, cell, frames):
        kept.append(cell.augmenter)
        if len(kept) == 4:
            raise KeyboardInterrupt
        if len(kept) < 3:
            log_cell(parent, cell, frames)

    log_cell, kept = benchmark.log_cell, []
    with monkeypatch.context() as patch:
        patch.setattr(benchmark, "log_cell", log_two)
        assert rareflow(*COMMAND, "--out", "unlogged").code == 130
    parent = parents(place)[0]
    spooled, cut = "5-shots-seed-0-class weights", "5-shots-seed-1-random oversampling"
    assert kept[2:] == ["class weights", "random oversampling"]
    tags = {"mlflow.parentRunId": parent.info.run_id}
    place.client.create_run("1", tags=tags, run_name=cut)
    waiting = SpooledRun(Spool(Path(SPOOL)), spooled, 1, tags)
    waiting.client.set_terminated(waiting.run_id)
    waiting.close()
    ended = rareflow(*COMMAND, "--out", "unlogged")
    shutil.rmtree(SPOOL)
    assert ended.code == 3, "a run waits in the spool"
    assert any("1 of the cells that are done are not in the run yet" in line for line in ended.progress)
    found = {status: [] for status in ("FINISHED", "KILLED")}
    for run in children(place, parent):
        found[run.info.status].append(run)
    assert [run.info.run_name for run in found["KILLED"]] == [cut]
    undisturbed = next(run for run in parents(place)[::-1] if len(children(place, run)) == N_CELLS)
    assert [(run.info.run_name, *contents(place, run)) for run in found["FINISHED"]] == [
        (run.info.run_name, *contents(place, run))
        for run in children(place, undisturbed)
        if run.info.run_name != spooled
    ]


@pytest.mark.usefixtures("without_figures")
def test_the_same_command_again_computes_nothing_and_more_seeds_only_what_is_new(place, monkeypatch):
    shutil.copytree(place.folder / "whole", place.folder / "more")
    begun = spoil(monkeypatch, None, None)
    assert rareflow(*COMMAND, "--out", "more").code == 0
    assert begun == []
    ended = rareflow(*COMMAND, "--seeds", 3, "--shots", "5", "--out", "more")
    assert ended.code == 0, ended.said
    assert {(cell.shots, cell.seed) for cell in begun} == {(5, 2)}
    assert any(
        ": 6 of 9 cells are done; " in line or " 6 of 9 cells are done; " in line for line in ended.progress
    )
    assert len(frames("more")["results"]) == N_CELLS + 3


@pytest.mark.usefixtures("without_figures")
def test_processes_give_the_results_of_one(place):
    ended = rareflow(*COMMAND, "--jobs", 2, "--out", "jobs")
    assert ended.code == 0, ended.said
    assert len(set(cells_told(ended))) == N_CELLS
    assert sum(line.endswith("as it is on 1 inner split ...") for line in ended.progress) == 4
    assert equal(place.folder / "jobs", place.folder / "whole")


def test_a_report_is_written_again_from_the_folder_alone(place):
    shutil.copytree(place.folder / "whole", place.folder / "again")
    before = (place.folder / "again" / "report.md").read_bytes()
    (place.folder / "again" / "report.md").unlink()
    shutil.rmtree(place.folder / "again" / "figures")
    runs = len(parents(place))
    ended = rareflow("benchmark", "--report-only", "true", "--out", "again", "--data", "nowhere.csv")
    assert ended.code == 0, ended.said
    assert ended.progress == []
    assert ended.out == place.ended.out.replace("whole/", "again/")
    assert (place.folder / "again" / "report.md").read_bytes() == before
    assert len(parents(place)) == runs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split", "grouped"), "another split ('random', here 'grouped')"),
        (("--rows", 500), "another digest"),
        (("--detectors", "dt,rf"), "another detectors (['dt'], here ['dt', 'rf'])"),
        (("--repeats", 2), "another repeats (1, here 2)"),
        (("--fidelity", "false"), "another fidelity"),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_another_protocol_is_refused_and_nothing_is_written(words, said, place):
    runs = len(parents(place))
    before = {path: path.stat().st_mtime_ns for path in (place.folder / "whole").rglob("*")}
    ended = rareflow(*COMMAND, "--out", "whole", *words)
    assert ended.code == 2
    assert f"--out 'whole' holds results of {said}" in ended.said[0]
    assert {path: path.stat().st_mtime_ns for path in (place.folder / "whole").rglob("*")} == before
    assert len(parents(place)) == runs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--augmenters", "RAW,SMOOTH"), "augmenter 'SMOOTH' is unknown; choose among RAW,"),
        (("--detectors", "dt,knn"), "'knn'"),
        (("--shots", "few"), "--shots 'few' is neither a number from 1 nor all"),
        (("--fidelity", "yes"), "--fidelity 'yes' is neither true nor false"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(words, said, place):
    ended = rareflow(*COMMAND, "--out", "never", *words)
    assert ended.code == 2
    assert said in ended.said[0]
    assert not (place.folder / "never").exists()


def a_class_of_equal_rows():
    """A table whose class of three equal rows cannot stand on both sides of a grouped split."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(90, 2)), columns=["x", "y"])
    frame["label"] = ["calm"] * 60 + ["flood"] * 27 + ["scan"] * 3
    frame.loc[frame["label"] == "scan", ["x", "y"]] = 1.0
    frame.to_csv("equal.csv", index=False)
    return ("benchmark", "--data", "equal.csv", "--label", "label", "--seeds", 1, "--augmenters", "RAW")


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_table_that_cannot_be_split_is_refused_before_anything_is_written(jobs, place):
    words = (*a_class_of_equal_rows(), "--detectors", "dt", "--jobs", jobs, "--out", f"equal-{jobs}")
    runs = len(parents(place))
    refused = rareflow(*words, "--split", "grouped")
    assert refused.code == 2
    assert refused.said[0].startswith("rareflow: 10 shots, seed 0, RAW: class 'scan' cannot be both")
    assert not Path(f"equal-{jobs}").exists()
    assert len(parents(place)) == runs
    assert rareflow(*words, "--split", "random").code == 0


@pytest.mark.usefixtures("without_figures", "place")
def test_a_benchmark_stopped_before_its_first_cell_may_be_begun_with_other_options(monkeypatch):
    with monkeypatch.context() as patch:
        spoil(patch, 1, KeyboardInterrupt())
        assert rareflow(*COMMAND, "--out", "begun", "--repeats", 2).code == 130
    ended = rareflow(*COMMAND, "--out", "begun")
    assert ended.code == 0, ended.said
    assert equal("begun", "whole")


@pytest.mark.usefixtures("without_figures")
def test_a_detector_that_cannot_learn_is_named_with_the_cell_and_the_remedy(place):
    detector = "sklearn.neighbors.RadiusNeighborsClassifier"
    ended = rareflow(*a_class_of_equal_rows(), "--detectors", detector, "--shots", 2, "--out", "radius")
    assert ended.code == 2
    assert ended.said[0].startswith(f"rareflow: 2 shots, seed 0, RAW: detector '{detector}' fails on ")
    assert ended.said[0].endswith("; take another detector, or give more rows")
    assert not (place.folder / "radius").exists()


@pytest.mark.usefixtures("without_figures")
def test_a_file_that_is_missing_is_named_and_the_results_stay(place):
    shutil.copytree(place.folder / "whole", place.folder / "cut")
    (place.folder / "cut" / "classes.csv").unlink()
    before = (place.folder / "cut" / "results.csv").read_bytes()
    ended = rareflow(*COMMAND, "--seeds", 3, "--out", "cut")
    assert ended.code == 2
    assert "--out 'cut' holds results.csv but no classes.csv" in ended.said[0]
    assert (place.folder / "cut" / "results.csv").read_bytes() == before


@pytest.mark.usefixtures("without_figures")
def test_an_official_test_part_tests_every_seed(place):
    assert rareflow("prepare", "--rows", 600, "--out", "train.parquet").code == 0
    assert rareflow("prepare", "--rows", 300, "--seed", 5, "--out", "test.parquet").code == 0
    words = ("--data", "train.parquet", "--test", "test.parquet", "--recipe", "gas-pipeline", "--rows", 0)
    ended = rareflow(*COMMAND, *words, "--augmenters", "RAW", "--shots", 5, "--out", "official")
    assert ended.code == 0, ended.said
    found = pd.read_csv("official/classes.csv")
    assert set(found["split"]) == {"test file"}
    assert found.groupby("seed")["support"].sum().to_dict() == {0: 300, 1: 300}
    assert "an official test part of 300 rows" in Path("official/report.md").read_text()
    assert len(parents(place)[0].inputs.dataset_inputs) == 2


@pytest.mark.usefixtures("without_figures", "place")
def test_rows_that_were_left_out_of_an_official_test_part_are_told_by_report_and_facts():
    frame = pd.DataFrame({"x": range(90), "label": ["calm", "calm", "flood"] * 30})
    frame.to_csv("known.csv", index=False)
    frame.replace({"label": {"flood": "scan"}}).to_csv("further.csv", index=False)
    words = ("benchmark", "--data", "known.csv", "--test", "further.csv", "--label", "label", "--shots", 5)
    words += ("--seeds", 1, "--detectors", "dt", "--repeats", 1, "--augmenters", "RAW", "--out", "thinned")
    ended = rareflow(*words, "--unseen-classes", "drop")
    assert ended.code == 0, ended.said
    told = "30 rows were left out: the training table has no row of their class, 'scan' (30 rows)"
    assert f"an official test part of 60 rows ({told}); seeds" in Path("thinned/report.md").read_text()
    assert json.loads(Path("thinned/benchmark.json").read_text())["test_notes"] == [f"{told}."]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_benchmark_leaves_no_process_and_goes_on(jobs, place):
    out = f"killed-{jobs}"
    words = [*map(str, COMMAND), "--seeds", "8", "--jobs", str(jobs), "--out", out]
    environment = os.environ | {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    with subprocess.Popen([sys.executable, "-m", "rareflow", *words], env=environment) as process:
        results = place.folder / out / "results.csv"
        for _ in range(1200):
            if results.exists() and len(results.read_text().splitlines()) > 4:
                break
            assert process.poll() is None
            time.sleep(0.05)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    ended = rareflow(*words)
    assert ended.code == 0, ended.said
    assert 0 < len(cells_told(ended)) < 48
    assert rareflow(*words[:-1], "fresh").code == 0
    assert equal(out, "fresh")
    shutil.rmtree(place.folder / "fresh")
