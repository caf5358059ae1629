import gc
import os
import weakref

import numpy as np
import pandas as pd
import pytest

from rareflow.data.card import data_card
from rareflow.data.schema import MAX_CATEGORIES
from rareflow.errors import DataError
from rareflow.workflows import settings
from rareflow.workflows.settings import DataSettings, Settings, limit_threads


@pytest.mark.parametrize(
    ("jobs", "n_threads", "is_told"),
    [(1, 4, False), (4, 1, False), (9, 1, False), (2, 3, True), (1, 5, True)],
)
@pytest.mark.usefixtures("folder")
def test_more_threads_than_cores_are_told_where_they_would_wait_for_each_other(
    monkeypatch, jobs, n_threads, is_told
):
    told = []
    monkeypatch.setattr(settings, "say", told.append)
    monkeypatch.setattr(settings, "threadpool_limits", lambda _: None)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    limit_threads(n_threads, jobs=jobs)
    expected = f"--jobs {jobs} with --n-threads {n_threads} is more threads than the 4 cores here"
    assert [line.startswith(expected) for line in told] == [True] * is_told


def parts(train, test, **options):
    """What a command works on, of two files."""
    for name, frame in {"train": train, "test": test}.items():
        frame.to_csv(f"{name}.csv", index=False)
    source = DataSettings("train.csv", label="label", **options)
    return Settings(source, test="test.csv").parts


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
    opened, open_table = [], settings.open_table

    def watch(*args, **options):
        found = open_table(*args, **options)
        opened.append(weakref.ref(found))
        return found

    monkeypatch.setattr(settings, "open_table", watch)
    for name, frame in {"train": rows(a=60, b=30), "test": rows(a=20, b=7)}.items():
        frame.to_csv(f"{name}.csv", index=False)
    held = Settings(DataSettings("train.csv", label="label", sample_rows=40), test="test.csv")
    assert [len(part) for part in held.parts] == [40, 27]
    gc.collect()
    assert [each() for each in opened] == [None, None]


@pytest.mark.usefixtures("folder")
def test_the_training_table_decides_which_classes_of_a_test_file_are_dropped_or_merged(monkeypatch):
    told = []
    monkeypatch.setattr(settings, "say", told.append)
    files = rows(a=40, b=20, c=1, d=1), rows(a=5, b=1, c=3)
    train, test = parts(*files, rare_classes="drop")
    assert train.class_counts == {"a": 40, "b": 20}
    assert test.class_counts == {"a": 5, "b": 1}
    assert told[-1] == "3 rows of test.csv were left out: their class has one row in the training table"
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


def two_labels(seed):
    """Rows whose attack is named beside the label, and counted."""
    attack = np.random.default_rng(seed).permutation(np.repeat(["none", "flood", "scan"], [60, 30, 30]))
    return pd.DataFrame({"id": range(120), "attack": attack, "label": np.where(attack == "none", 0, 1)})


LEAKS = (
    "Columns that may give the label 'label' away: 'id' (counts the rows), 'attack' (each of its 3 values in "
    "one class only); --drop id,attack leaves them out, unless a detector is to have them."
)


@pytest.mark.usefixtures("folder")
def test_columns_that_give_the_label_away_are_told_once_and_stand_in_the_data_card(monkeypatch):
    told = []
    monkeypatch.setattr(settings, "say", told.append)
    train, test = parts(two_labels(0), two_labels(1), categorical=("attack",))
    assert told == ["Reading train.csv ...", LEAKS, "Reading test.csv ..."]
    assert f"- {LEAKS}" in data_card(train).splitlines()
    assert LEAKS not in test.notes


@pytest.mark.usefixtures("folder")
def test_a_column_that_counts_the_rows_is_found_in_a_sample_of_them(monkeypatch):
    told = []
    monkeypatch.setattr(settings, "say", told.append)
    frame = pd.DataFrame({"id": range(3_000), "x": 1.5, "label": ["a", "b", "c"] * 1_000})
    parts(frame, frame, sample_rows=300)
    assert told[1].startswith("A sample of 300 of 3,000 rows")
    assert "'id' (counts the rows)" in told[2]


@pytest.mark.usefixtures("folder")
def test_a_table_of_which_no_column_gives_the_label_away_is_read_without_a_word(monkeypatch):
    told = []
    monkeypatch.setattr(settings, "say", told.append)
    source = DataSettings("simulated-gas-pipeline", rows=600)
    assert source.table.notes == source.stream().notes
    assert told == ["Reading simulated-gas-pipeline ..."] * 2


def many_categories(path, **counts):
    """A table of as many categories as there may be, one more than that, and so on."""
    rows = max(counts.values())
    frame = pd.DataFrame({name: pd.Categorical(np.arange(rows) % n) for name, n in counts.items()})
    frame.assign(label=["a", "b"] * (rows // 2) + ["a"] * (rows % 2)).to_parquet(path)


def test_columns_of_more_categories_than_a_generator_learns_are_refused_all_at_once(tmp_path):
    path = tmp_path / "t.parquet"
    counts = {"port": MAX_CATEGORIES, "from": MAX_CATEGORIES + 1, "to, last": 3 * MAX_CATEGORIES}
    many_categories(path, **counts)
    said = (
        "columns of more than 1,000 categories, too many for a generator: 'from' (1,001 categories), "
        "'to, last' (3,000 categories); leave them out with --drop 'from,\"to, last\"'"
    )
    with pytest.raises(DataError) as refused:
        Settings(DataSettings(str(path), label="label")).check_categories()
    assert str(refused.value) == said
    Settings(DataSettings(str(path), label="label", drop=("from", "to, last"))).check_categories()
