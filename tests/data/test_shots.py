import numpy as np
import pandas as pd
import pytest

from rareflow.data.schema import Schema
from rareflow.data.shots import few_shots
from rareflow.data.table import Table
from rareflow.errors import ConfigError

CLASSES = {"many": 60, "some": 30, "few": 4, "one": 1}


def table(classes=CLASSES, seed=0):
    """Make a table whose rows carry their number."""
    y = np.repeat(list(classes), list(classes.values()))
    np.random.default_rng(seed).shuffle(y)
    frame = pd.DataFrame({"row": np.arange(len(y)), "label": y})
    return Table(frame, Schema.infer(frame[["row"]]), "label")


def rows(cut, label):
    return cut.frame.loc[cut.labels == label, "row"].tolist()


@pytest.mark.parametrize("shots", [1, 4, 10, 1000])
def test_every_class_but_the_largest_keeps_as_many_rows_as_there_are_shots(shots):
    cut = few_shots(table(), shots, seed=0)
    assert cut.class_counts == {
        label: rows if label == "many" else min(rows, shots) for label, rows in CLASSES.items()
    }


def test_rows_keep_their_order_and_are_numbered_anew():
    cut = few_shots(table(), 3, seed=0)
    assert cut.frame["row"].is_monotonic_increasing
    assert cut.frame.index.equals(pd.RangeIndex(len(cut)))


def test_of_equally_large_classes_the_first_by_name_stays_whole():
    cut = few_shots(table({"b": 9, "a": 9}), 2, seed=0)
    assert cut.class_counts == {"a": 9, "b": 2}


def test_the_same_seed_draws_the_same_rows_and_another_seed_others():
    once, again, other = (few_shots(table(), 5, seed=seed).digest for seed in (0, 0, 1))
    assert once == again != other


def test_the_rows_of_a_class_depend_on_no_other_class():
    whole = table()
    smaller = whole.take(np.flatnonzero(whole.labels != "few"))
    assert rows(few_shots(whole, 5, seed=3), "some") == rows(few_shots(smaller, 5, seed=3), "some")


def test_fewer_shots_are_among_more():
    few, more = (rows(few_shots(table(), shots, seed=0), "some") for shots in (5, 12))
    assert set(few) < set(more)


def test_no_shot_at_all_is_refused():
    with pytest.raises(ConfigError, match="a class must keep at least 1 row, not 0; give 1 or more shots"):
        few_shots(table(), 0, seed=0)
