from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.evaluation.comparison import markdown_table, text_table
from rareflow.evaluation.fidelity import FIDELITY
from rareflow.evaluation.metrics import score
from rareflow.evaluation.privacy import PRIVACY
from rareflow.tuning.space import Candidate
from rareflow.tuning.winner import Winner
from rareflow.workflows.quality import Quality
from rareflow.workflows.studying.model_card import model_card
from rareflow.workflows.studying.task import Task

TRUE = np.array(["Normal", "Normal", "DOS", "DOS"], dtype=object)
HALF = np.array(["Normal", "Normal", "DOS", "Normal"], dtype=object)


def scores(predicted):
    return {"dt": score(TRUE, predicted, labels=["Normal", "DOS"])}


COMPARISON = {"RAW": scores(HALF), "SMOTE": scores(HALF), "rareflow": scores(TRUE)}
QUALITY = Quality(
    forged=pd.DataFrame([dict.fromkeys((*FIDELITY, *PRIVACY), 0.25)], index=["DOS"]),
    training=pd.DataFrame([dict.fromkeys(FIDELITY, 0.75)], index=["DOS"]),
)


def card(rare="DOS", **changes):
    frame = pd.DataFrame({"x": range(12), "result": ["Normal"] * 9 + [rare] * 3})
    table = replace(Table(frame, Schema.infer(frame[["x"]]), "result", name="plant"), **changes)
    whole = SimpleNamespace(digest="0123456789abcdef" * 4)
    task = Task(whole, table, None, None, "random split, test size 0.3, seed 0")
    winner = Winner(3, Candidate({"latent_dim": 8}, {rare: 700}), 0.625, 0.5, is_clear=True)
    return model_card(task, winner, COMPARISON, QUALITY)


def test_a_card_says_what_it_is_on_which_data_how_scored_its_limits_and_its_use():
    written = card()
    for part in (
        "# Generator for plant",
        "2 classes in 1 feature",
        "real rows",
        "(12 rows; digest",
        "`0123456789abcdef`",
        "random split, test size 0.3, seed 0.",
        "- RAW: 50.00 %\n- rareflow: 62.50 %",
        "| DOS | 3 | 6 |",  # as many as the largest class has, not 700
        "| Normal | 9 | 0 |",
        "- `latent_dim`: 8",
        "## Limits",
        "## Intended use",
    ):
        assert part in written, part
    assert markdown_table(COMPARISON) in written
    assert QUALITY.to_markdown() in written


def test_a_bar_in_the_name_of_a_class_ends_no_cell():
    assert r"| a\|b | 3 | 6 |" in card("a|b")


def test_a_card_never_calls_simulated_rows_real():
    written = card(simulated=True)
    assert "simulated rows, not measured ones" in written
    assert "Trained on real" not in written


def test_the_tables_show_every_augmenter_and_detector_in_percent():
    lines = markdown_table(COMPARISON).splitlines()
    assert lines[0] == "| augmenter | detector | macro precision | macro recall | macro f1 | mcc |"
    assert lines[2] == "| RAW | dt | 83.33 | 75.00 | 73.33 | 57.74 |"
    assert lines[4] == "| rareflow | dt | 100.00 | 100.00 | 100.00 | 100.00 |"
    assert [line.split() for line in text_table(COMPARISON).splitlines()] == [
        ["macro", "F1,", "%", "mean", "dt"],
        ["RAW", "73.33", "73.33"],
        ["SMOTE", "73.33", "73.33"],
        ["rareflow", "100.00", "100.00"],
    ]
