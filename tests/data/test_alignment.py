"""Categories and classes of two tables that were read apart get one name each, or a refusal."""

import numpy as np
import pandas as pd
import pytest

from rareflow.data import source
from rareflow.data.alignment import Form, align
from rareflow.data.load import load_table, open_table
from rareflow.errors import DataError


@pytest.fixture
def load(tmp_path):
    """Read values of a column and of the label out of a CSV."""

    def read(svc, labels=None, *, opened=False, **options):
        labels = labels or ["a", "b"] * (len(svc) // 2)
        lines = [f"1,{value},{name}" for value, name in zip(svc, labels, strict=True)]
        (tmp_path / "t.csv").write_text("\n".join(["x,svc,label", *lines]))
        how = {"label": "label", "categorical": ["svc"], "rare_classes": "keep", **options}
        return (open_table if opened else load_table)(str(tmp_path / "t.csv"), **how)

    return read


def aligned(test, train, fate=None):
    return align(test, Form.of(train, "the training table", fate), name="the test file")


def values(table, column="svc"):
    return table.frame[column].astype(object).tolist()


@pytest.mark.parametrize(
    ("train", "test", "found"),
    [
        (["80", "443", "22", "http"], ["80", "22"], ["80", "22"]),
        (["80", "443", "22", "http"], ["80", ""], ["80", np.nan]),
        (["80.0", "443.5", "x", "x"], ["80", "443.5"], ["80.0", "443.5"]),
        (["080", "443", "x", "x"], ["80", "8080"], ["080", "8080"]),
        (["5e-1", "x"], ["0.5", "1e30"], ["5e-1", "1e+30"]),
        (["true", "No", "x", "x"], ["true", "false"], ["true", "False"]),
        (["true", "1", "x", "x"], ["1", "2"], ["1", "2"]),
        (["80", "443", "22", "21"], ["80", "21"], [80, 21]),
        (["80", "443", "22", "21"], ["80", "http"], [80, "http"]),
        (["80", "443", "22", ""], ["80", "http"], [80.0, "http"]),
        (["true", "false"], ["true", "x"], [True, "x"]),
        (["80", "080", "x", "y"], ["80", "x"], ["80", "x"]),
        (["80", "080", "x", "y"], ["80", "22"], ["80", "22"]),
        (["0", "00"], ["0", "0"], ["0", "0"]),
        (["0", "00"], ["00", "00"], ["00", "00"]),
        (["a", "b"], ["7.0", "8"], ["7", "8"]),
    ],
)
def test_a_category_is_what_it_is_in_the_training_table_whatever_the_dtypes(load, train, test, found):
    held, other = load(test), load(train)
    assert values(aligned(held, other)) == found
    assert [type(value) for value in values(aligned(held, other))] == list(map(type, found))
    again = aligned(aligned(held, other), other)
    pd.testing.assert_frame_equal(again.frame, aligned(held, other).frame)


def test_a_table_read_alike_stays_as_it_is(load):
    table = load(["80", "http", "", "22"])
    assert aligned(table, table).frame is table.frame


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        (
            ["80", "80.0", "x", "y"],
            ["80.0", "22.5"],
            "holds 80.0 in the test file, which is '80' and '80.0' in the training table",
        ),
        (
            ["80", "22"],
            ["80", "080", "x", "y"],
            "holds '080' and '80' in the test file, which is 80 in the training table",
        ),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused_with_both(load, train, test, complaint):
    with pytest.raises(DataError) as caught:
        aligned(load(test), load(train))
    assert str(caught.value) == f"column 'svc' {complaint}; write it in one way in both"


@pytest.mark.parametrize(
    ("train", "test", "found"),
    [
        (["0", "1", "unknown", "0"], ["0", "1"], ["0", "1"]),
        (["0", "1", "0", "1"], ["0.0", "1.0"], [0, 1]),
        (["00", "1", "x", "x"], ["0", "1"], ["00", "1"]),
        (["true", "false", "x", "x"], ["true", "false"], ["true", "false"]),
    ],
)
def test_a_class_is_what_it_is_in_the_training_table(load, train, test, found):
    held, other = load(["p"] * 2, test), load(["p"] * 4, train)
    assert values(aligned(held, other), "label") == found
    assert aligned(held, other).y.dtype == other.y.dtype
    opened = aligned(load(["p"] * 2, test, opened=True), other)
    assert opened.class_counts == opened.table().class_counts
    pd.testing.assert_frame_equal(opened.table().frame, aligned(held, other).frame)


def test_a_class_that_the_training_table_lacks_is_counted_under_its_own_name(load):
    other = load(["p"] * 4, ["0", "1", "0", "x"])
    for labels, counts in ((["0", "2"], {"0": 1, "2": 1}), (["1", "01"], {"01": 1, "1": 1})):
        assert aligned(load(["p"] * 2, labels, opened=True), other).class_counts == counts


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_what_became_of_classes_of_one_row_becomes_of_them_in_the_test_part(load, monkeypatch, batch_rows):
    monkeypatch.setattr(source, "BATCH_ROWS", batch_rows)
    labels = ["0", "0", "1", "1", "7", "8"]
    merged, dropped = (load(["p"] * 6, labels, opened=True, rare_classes=rule) for rule in ("merge", "drop"))
    test = load(["p"] * 4, ["7", "0", "7", "1"], opened=True, test_of=["x", "svc", "label"])
    for train, found in ((merged, ["Rare", "0", "Rare", "1"]), (dropped, [0, 1])):
        part = aligned(test, train.table(), train.fate)
        assert values(part.table(), "label") == found
        assert dict(part.class_counts) == dict(part.table().class_counts)


def test_a_test_part_may_hold_one_class(load):
    assert load(["p"] * 2, ["a", "a"], opened=True, test_of=["x", "svc", "label"]).class_counts == {"a": 2}
