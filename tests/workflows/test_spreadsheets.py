import pandas as pd
import pytest

from rareflow.workflows.spreadsheets import defused
from tests.workflows.commands import rareflow

pytestmark = pytest.mark.fault

DANGEROUS = [
    "=1+1",
    "+1",
    "-1+cmd|' /C calc'!A1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\uff1d1",
    "\uff0b1",
]


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_no_text_of_any_dtype_begins_a_formula_and_other_values_stay(dtype):
    column = pd.Series([*DANGEROUS, "tcp", "a=b", "", "-", None], dtype=dtype)
    frame = pd.DataFrame({"=name": column, "number": -1.5, "x": [-3] * 15})
    safe = defused(frame)
    assert list(safe) == ["'=name", "number", "x"]
    assert safe["'=name"].tolist()[:14] == [*(f"'{text}" for text in DANGEROUS), "tcp", "a=b", "", "-"]
    assert safe["'=name"].isna().sum() == 1
    pd.testing.assert_frame_equal(safe[["number", "x"]], frame[["number", "x"]])


@pytest.mark.usefixtures("folder")
def test_prepare_writes_a_csv_that_is_safe_to_open_where_asked_and_as_it_is_where_not():
    pd.DataFrame({"x": [-1, 2, 3, 4], "label": ["=cmd", "b"] * 2}).to_csv("t.csv", index=False)
    for asked, label in (("true", "'=cmd"), ("false", "=cmd")):
        ended = rareflow(
            "prepare", "--data", "t.csv", "--label", "label", "--out", "o.csv", "--csv-safe", asked
        )
        assert ended.code == 0, ended.said
        written = pd.read_csv("o.csv")
        assert written["label"].tolist() == [label, "b"] * 2
        assert written["x"].tolist() == [-1, 2, 3, 4]


@pytest.mark.usefixtures("folder")
def test_a_column_may_be_called_self_and_categories_be_numbers():
    pd.DataFrame({"self": [" =1", "b", "b", "b"], "n": [1, None, 2, 1], "y": [0, 1, 0, 1]}).to_csv("t.csv")
    ended = rareflow(
        *("prepare", "--data", "t.csv", "--label", "y", "--categorical", "self,n"),
        *("--out", "o.csv", "--csv-safe", "true"),
    )
    assert ended.code == 0, ended.said
    written = pd.read_csv("o.csv")
    assert written["self"].tolist() == ["'=1", "b", "b", "b"]
    assert written["n"].isna().tolist() == [False, True, False, False]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["prepare", "augment"])
def test_csv_safe_is_refused_for_parquet_and_for_what_is_no_truth(command):
    ended = rareflow(command, "--csv-safe", "true", "--out", "o.parquet")
    assert ended.said == [
        "rareflow: --csv-safe true is for .csv and .csv.gz, not for --out 'o.parquet'; leave it out"
    ]
    assert rareflow(command, "--csv-safe", "yes").said == [
        "rareflow: --csv-safe 'yes' is neither true nor false"
    ]
