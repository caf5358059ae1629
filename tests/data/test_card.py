import numpy as np
import pandas as pd
import pytest

from rareflow.data.card import class_table, data_card
from rareflow.data.schema import Schema
from rareflow.data.survey import Survey
from rareflow.data.table import Table


def make_table(frame, clocks=(), **options):
    return Table(frame, Schema.infer(frame.drop(columns="label"), clocks=clocks), "label", **options)


@pytest.fixture
def table():
    frame = pd.DataFrame(
        {
            "time": np.arange(8) / 10,
            "a|b": [1, 1, 1, 2, 3, 3, 4, 4],
            "proto": pd.Categorical(["tcp", "tcp", "tcp", None, "udp", "udp", "udp", "udp"]),
            "gain": 115,
            "label": ["Normal", "Normal", "NMRI", "Normal", "CMRI", "CMRI", "Normal", "Normal"],
        }
    )
    return make_table(frame, clocks=("time",), name="gas", notes=("One thing was done.",), simulated=True)


def test_the_class_table_is_laid_out_as_in_the_paper(table):
    classes = class_table(table)
    assert list(classes) == ["Type", "Type Number", "Sample Count", "Sample Ratio"]
    assert classes.to_numpy().tolist() == [
        ["Normal", 2, 5, 0.625],
        ["CMRI", 0, 2, 0.25],
        ["NMRI", 1, 1, 0.125],
    ]


def test_the_class_table_numbers_the_gas_classes_as_the_paper_does():
    names = ["Normal", "CMRI", "MPCI", "Recon", "NMRI", "DOS", "MSCI", "MFCI"]
    frame = pd.DataFrame({"x": 1, "label": np.repeat(names, range(9, 1, -1))})
    assert class_table(make_table(frame))["Type Number"].tolist() == [6, 0, 3, 7, 5, 1, 4, 2]


def test_duplicates_are_counted_without_clocks_and_labels(table):
    assert Survey.of(table).duplicates == (4, 1)


def test_no_row_repeats_another_when_the_clock_is_a_feature(table):
    assert Survey.of(make_table(table.frame)).duplicates == (0, 0)


def test_rows_that_differ_in_clocks_only_are_all_alike():
    frame = pd.DataFrame({"time": [1.0, 2.0, 3.0], "label": ["a", "a", "b"]})
    assert Survey.of(make_table(frame, clocks=("time",))).duplicates == (2, 1)


def test_the_card_tells_what_the_table_holds(table):
    card = data_card(table)
    for line in (
        "# Data card: gas",
        "- Rows: 8",
        "- Feature columns: 4 (1 continuous, 1 integer, 1 categorical, 1 constant)",
        "- Label: `label`, 3 classes",
        "- Origin: simulated: no row was measured",
        "- Rows that repeat an earlier one (time left out): 4 (50.0%)",
        "- Feature vectors that carry several labels: 1",
        f"- Digest (SHA-256): `{table.digest}`",
        "| Normal | 2 | 5 | 62.5000% |",
        "| a\\|b | integer | int64 | 1 to 4 | 0 |",
        "| proto | categorical | category | tcp, udp | 1 |",
        "| gain | constant | int64 | 115 | 0 |",
        "- One thing was done.",
    ):
        assert line in card.splitlines()


def test_a_card_of_a_measured_table_without_notes_says_neither(table):
    card = data_card(make_table(table.frame))
    assert "simulated" not in card
    assert "## Notes" not in card


def test_many_categories_are_cut_short():
    frame = pd.DataFrame({"port": pd.Categorical(range(9)), "label": "a"})
    assert "| port | categorical | category | 0, 1, 2, 3, 4, 4 more | 0 |" in data_card(make_table(frame))
