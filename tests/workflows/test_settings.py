import gc
import os
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rareflow.data.card import data_card
from rareflow.data.schema import MAX_CATEGORIES
from rareflow.errors import ConfigError, DataError
from rareflow.workflows import reading, settings
from rareflow.workflows.benchmarking.plan import BenchmarkSettings, facts_of, protocol_of
from rareflow.workflows.reading import DataSettings
from rareflow.workflows.settings import Settings, limit_threads
from rareflow.workflows.studying.task import Task
from tests.workflows.commands import rareflow


@pytest.fixture
def told(monkeypatch):
    """What the screen says."""
    lines = []
    for module in (reading, settings):
        monkeypatch.setattr(module, "say", lines.append)
    return lines


@pytest.mark.parametrize(
    ("jobs", "n_threads", "is_told"),
    [(1, 4, False), (4, 1, False), (9, 1, False), (2, 3, True), (1, 5, True)],
)
@pytest.mark.usefixtures("folder")
def test_more_threads_than_cores_are_told_where_they_would_wait_for_each_other(
    monkeypatch, told, jobs, n_threads, is_told
):
    monkeypatch.setattr(settings, "threadpool_limits", lambda _: None)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    limit_threads(n_threads, jobs=jobs)
    expected = f"--jobs {jobs} with --n-threads {n_threads} is more threads than the 4 cores here"
    assert [line.startswith(expected) for line in told] == [True] * is_told


def of_files(train, test, *, unseen_classes="error", **options):
    """The settings of a command, of two files."""
    for name, frame in {"train": train, "test": test}.items():
        frame.to_csv(f"{name}.csv", index=False)
    source = DataSettings("train.csv", label="label", **options)
    return Settings(source, test="test.csv", unseen_classes=unseen_classes)


def parts(train, test, **options):
    """What a command works on, of two files."""
    return of_files(train, test, **options).parts


def rows(**counts):
    labels = np.repeat(list(counts), list(counts.values()))
    return pd.DataFrame({"x": np.arange(len(labels)), "label": labels})


@pytest.mark.usefixtures("folder")
def test_every_row_of_a_test_file_is_scored_however_few_are_worked_on():
    train, test = parts(rows(a=60, b=30), rows(a=200, b=7), sample_rows=40)
    assert train.class_counts == {"a": 20, "b": 20}
    assert test.class_counts == {"a": 200, "b": 7}
    assert test.notes == ()


@pytest.mark.usefixtures("folder")
def test_of_a_file_that_is_read_whole_nothing_stays_in_memory_but_its_sample(monkeypatch):
    opened, open_table = [], reading.open_table

    def watch(*args, **options):
        found = open_table(*args, **options)
        opened.append(weakref.ref(found))
        return found

    monkeypatch.setattr(reading, "open_table", watch)
    for name, frame in {"train": rows(a=60, b=30), "test": rows(a=20, b=7)}.items():
        frame.to_csv(f"{name}.csv", index=False)
    held = Settings(DataSettings("train.csv", label="label", sample_rows=40), test="test.csv")
    assert [len(part) for part in held.parts] == [40, 27]
    gc.collect()
    assert [each() for each in opened] == [None, None]


@pytest.mark.usefixtures("folder")
def test_the_training_table_decides_which_classes_of_a_test_file_are_dropped_or_merged(told):
    files = rows(a=40, b=20, c=1, d=1), rows(a=5, b=1, c=3)
    train, test = parts(*files, rare_classes="drop")
    assert train.class_counts == {"a": 40, "b": 20}
    assert test.class_counts == {"a": 5, "b": 1}
    assert told[-1] == "test.csv: 3 rows were left out: their class has one row in the training table."
    train, test = parts(*files, rare_classes="merge")
    assert train.class_counts == {"a": 40, "b": 20, "Rare": 2}
    assert test.class_counts == {"a": 5, "Rare": 3, "b": 1}
    train, test = parts(*files, rare_classes="keep")
    assert test.class_counts == {"a": 5, "c": 3, "b": 1}


@pytest.mark.usefixtures("folder")
def test_labels_are_classes_of_the_training_table_whether_they_are_read_as_numbers_or_as_text():
    train, test = parts(rows(**{"0": 4, "1": 4, "unknown": 4}), rows(**{"0": 3, "1": 2}))
    assert test.class_counts == {"0": 3, "1": 2}
    assert test.y.dtype == train.y.dtype


@pytest.mark.usefixtures("folder")
def test_a_test_file_cut_by_the_option_is_the_file_cut_by_hand_but_for_what_is_told_of_it(told):
    train = rows(a=40, b=20, c=1)
    how = {"unseen_classes": "drop", "rare_classes": "drop"}
    cut = of_files(train, rows(a=5, b=2, c=1, d=1, e=1_200), **how)
    by_option = facts(cut)
    assert told[-2:] == [
        "test.csv: 1 rows were left out: their class has one row in the training table.",
        "test.csv: 1,201 rows were left out: the training table has no row of their class, 'e' (1,200 rows), "
        "'d' (1 rows).",
    ]
    assert by_option.pop("test_notes") == [line.removeprefix("test.csv: ") for line in told[-2:]]
    by_hand = of_files(train, rows(a=5, b=2), rare_classes="drop")
    assert facts(by_hand) == by_option
    other = facts(of_files(train, rows(a=5, b=2, d=1, f=3), **how))
    assert [note.partition(" ")[0] for note in other.pop("test_notes")] == ["4"]
    assert other == by_option, "what is left is the same"
    other = facts(of_files(train, rows(a=5, b=3, d=1), **how))
    assert {key for key in by_option if other[key] != by_option[key]} == {"test_digest", "test_class_counts"}


def facts(given):
    """What a benchmark's results have in common."""
    how = BenchmarkSettings(("all",), 1, (), ("dt",), repeats=2, jobs=1, out="", fidelity=False)
    return facts_of(*given.parts, protocol_of(given, how), fidelity=False)


@pytest.mark.usefixtures("folder")
def test_scores_on_a_test_file_that_is_cut_have_a_protocol_of_their_own():
    whole, cut = (of_files(rows(a=9, b=9), rows(a=3), unseen_classes=rule) for rule in ("error", "drop"))
    assert whole.protocol == "test file test.csv, seed 0"
    assert cut.protocol == "test file test.csv, its classes without a training row left out, seed 0"
    assert [each.params["unseen_classes"] for each in (whole, cut)] == ["error", "drop"]
    names = [Task.read(each, repeats=1, tune_rows=100).name for each in (whole, cut)]
    assert len(set(names)) == 2


def test_unseen_classes_are_of_a_test_file_and_have_two_fates():
    for options, said in (
        (
            {"unseen_classes": "drop"},
            "--unseen-classes drop is for a --test FILE only; give one, or leave it",
        ),
        ({"unseen_classes": "keep", "test": "t.csv"}, "--unseen-classes 'keep' is none of error, drop"),
    ):
        with pytest.raises(ConfigError, match=said):
            Settings(DataSettings("train.csv"), **options)


BAD_TEST_FILES = {
    "text in columns that nobody declared: 'x' ('-' among numbers, row 2); add": {"x": [1, "-", 3]},
    "columns that hold no value at all: x; leave": {"x": [None] * 3},
    "the test file lacks the columns 'x', which": {"y": [1, 2, 3]},
    "column 'x' holds bool in the test file and int64 in the training table; ": {"x": [True, False, True]},
    "infinite values in 'x' (1 rows); say": {"x": [1.5, np.inf, 3.5]},
    "classes that occur in the test part only: 'c' (1 rows); no detector": {"label": ["a", "c", "a"]},
    "the test file holds no row of a class": {"label": ["c"] * 3, "unseen_classes": "drop"},
    "column 'label': 1 rows have no label, the first is row 2; ": {"label": ["a", None, "a"]},
}


@pytest.mark.parametrize("said", BAD_TEST_FILES)
@pytest.mark.usefixtures("folder")
def test_what_is_wrong_with_a_test_file_is_said_with_its_path(said):
    change = dict(BAD_TEST_FILES[said])
    rule = change.pop("unseen_classes", "error")
    columns = {"x": [1, 2, 3]} if "y" not in change else {}
    given = pd.DataFrame({**columns, "label": ["a"] * 3, **change})
    with pytest.raises(DataError) as caught:
        parts(rows(a=9, b=9), given, unseen_classes=rule)
    assert str(caught.value).startswith(f"test.csv: {said}")


@pytest.mark.usefixtures("folder")
def test_a_column_that_is_empty_once_a_test_file_is_cut_is_all_missing():
    given = rows(a=3, c=2).assign(x=[None] * 3 + [1, 2])
    _, test = parts(rows(a=9, b=9), given, unseen_classes="drop")
    assert test.X["x"].isna().tolist() == [True] * 3


@pytest.mark.usefixtures("folder")
def test_a_path_is_said_once_and_the_remedy_is_another_test_file():
    rows(a=9, b=9).to_csv("train.csv", index=False)
    Path("empty.csv").write_text("")
    source = DataSettings("train.csv", label="label")
    for test, said in (
        ("empty.csv", "empty.csv: is empty; give --test a file with a header and rows"),
        ("gone.csv", "gone.csv: no such file or folder: gone.csv; give --test a path that exists"),
    ):
        with pytest.raises(DataError) as caught:
            _ = Settings(source, test=test).parts
        assert str(caught.value) == said


@pytest.mark.usefixtures("folder")
def test_what_is_wrong_with_the_training_table_is_said_without_the_test_files_path():
    with pytest.raises(DataError, match=r"^text in columns"):
        parts(rows(a=9, b=9).assign(x="t"), rows(a=9))


def two_labels(seed):
    """Rows whose attack is named beside the label, and counted."""
    attack = np.random.default_rng(seed).permutation(np.repeat(["none", "flood", "scan"], [60, 30, 30]))
    return pd.DataFrame({"id": range(120), "attack": attack, "label": np.where(attack == "none", 0, 1)})


LEAKS = (
    "Columns that may give the label 'label' away: 'id' (counts the rows), 'attack' (each of its 3 values in "
    "one class only); --drop id,attack leaves them out, unless a detector is to have them."
)


@pytest.mark.usefixtures("folder")
def test_columns_that_give_the_label_away_are_told_once_and_stand_in_the_data_card(told):
    train, test = parts(two_labels(0), two_labels(1), categorical=("attack",))
    assert told == ["Reading train.csv ...", LEAKS, "Reading test.csv ..."]
    assert f"- {LEAKS}" in data_card(train).splitlines()
    assert LEAKS not in test.notes


@pytest.mark.usefixtures("folder")
def test_a_column_that_counts_the_rows_is_found_in_a_sample_of_them(told):
    frame = pd.DataFrame({"id": range(3_000), "x": 1.5, "label": ["a", "b", "c"] * 1_000})
    parts(frame, frame, sample_rows=300)
    assert told[1].startswith("A sample of 300 of 3,000 rows")
    assert "'id' (counts the rows)" in told[2]


@pytest.mark.usefixtures("folder")
def test_a_table_of_which_no_column_gives_the_label_away_is_read_without_a_word(told):
    source = DataSettings("simulated-gas-pipeline", rows=600)
    assert source.table.notes == source.stream().notes
    assert told == ["Reading simulated-gas-pipeline ..."] * 2


def many_categories(path, **counts):
    """A table of as many categories as there may be, one more than that, and so on."""
    rows = max(counts.values())
    frame = pd.DataFrame({name: pd.Categorical(np.arange(rows) % n) for name, n in counts.items()})
    frame.assign(label=["a", "b"] * (rows // 2) + ["a"] * (rows % 2)).to_parquet(path)


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate",),
        *(
            ("benchmark", "--seeds", 1, "--detectors", "dt", "--augmenters", name)
            for name in ("RAW", "SMOTE", "ADASYN")
        ),
    ],
    ids=lambda words: words[-1],
)
def test_columns_that_would_fill_the_memory_of_detectors_are_refused_before_anything_is_written(
    words, folder, monkeypatch
):
    monkeypatch.setattr(settings, "_ONE_HOT", 2_000 * 3_000)
    many_categories(folder / "t.parquet", port=2_000, ip=2_001, rest=3_000)
    before = set(folder.iterdir())
    ended = rareflow(*words, "--data", "t.parquet", "--label", "label")
    assert ended.code == 2
    assert ended.said == [
        "rareflow: columns of more than 2,000 categories, too many for detectors on 3,000 rows: "
        "'ip' (2,001 categories), 'rest' (3,000 categories); leave them out with --drop ip,rest"
    ]
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("words", [("train",), ("tune",), ("benchmark", "--augmenters", "RAW,rareflow")])
def test_a_table_in_which_nothing_varies_is_refused_before_anything_is_written(words, folder):
    pd.DataFrame({"a": [1] * 40, "b": ["x"] * 40, "label": ["m", "n"] * 20}).to_csv("t.csv", index=False)
    before = set(folder.iterdir())
    ended = rareflow(*words, "--data", "t.csv", "--label", "label", "--categorical", "b")
    assert ended.code == 2
    assert ended.said == [
        "rareflow: every column holds one value alone: 'a' (1), 'b' (x); a generator needs one that varies: "
        "give --data a table with it, or leave out less with --drop"
    ]
    assert set(folder.iterdir()) == before


def test_detectors_take_as_many_categories_as_a_generator_of_any_number_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "_ONE_HOT", 0)
    many_categories(tmp_path / "t.parquet", port=MAX_CATEGORIES)
    Settings(DataSettings(str(tmp_path / "t.parquet"), label="label")).check_trainable(for_generator=False)


def test_columns_of_more_categories_than_a_generator_learns_are_refused_all_at_once(tmp_path):
    path = tmp_path / "t.parquet"
    counts = {"port": MAX_CATEGORIES, "from": MAX_CATEGORIES + 1, "to, last": 3 * MAX_CATEGORIES}
    many_categories(path, **counts)
    said = (
        "columns of more than 1,000 categories, too many for a generator: "
        "'from' (1,001 categories), 'to, last' (3,000 categories); "
        "leave them out with --drop 'from,\"to, last\"'"
    )
    with pytest.raises(DataError) as refused:
        Settings(DataSettings(str(path), label="label")).check_trainable()
    assert str(refused.value) == said
    Settings(DataSettings(str(path), label="label", drop=("from", "to, last"))).check_trainable()
