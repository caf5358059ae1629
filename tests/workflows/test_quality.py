import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.evaluation.fidelity import FIDELITY
from rareflow.evaluation.privacy import PRIVACY
from rareflow.workflows.quality import log_quality


def table(seed):
    """Make classes of 60, 20 and 4 rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["many", "few", "rare"], [60, 20, 4])
    frame = pd.DataFrame({"x": rng.normal(size=84), "kind": rng.choice(["a", "b"], 84), "label": y})
    return Table(frame, Schema.infer(frame.drop(columns="label")), "label")


class Copier:
    """Stand in for a generator: repeat the training rows of each class."""

    def __init__(self, train):
        self.train = train
        self.asked = {}

    def table(self, wanted, *, seed):
        assert seed == 3
        self.asked = dict(zip(wanted["label"], wanted["count"], strict=True))
        rows = [np.resize(np.flatnonzero(self.train.labels == name), n) for name, n in self.asked.items()]
        return self.train.frame.iloc[np.concatenate(rows)]


def logged(class_rows):
    """Log to a run of the test's own; give what it was told beside the quality."""
    told = SimpleNamespace(metrics={}, texts={}, copier=Copier(table(0)))
    run = SimpleNamespace(
        log_metrics=told.metrics.update, log_text=lambda text, name: told.texts.update({name: text})
    )
    told.quality = log_quality(run, told.copier.train, table(1), told.copier, class_rows, seed=3)
    return told


@pytest.fixture(scope="module")
def told():
    return logged({"few": 60, "rare": 24})


def test_each_class_that_grows_is_forged_in_rows_enough_to_measure(told):
    assert told.copier.asked == {"few": 1000, "rare": 1000}
    assert told.quality.forged["forged_rows"].to_dict() == {"few": 1000, "rare": 1000}


def test_copies_are_found_out_and_are_as_faithful_as_the_training_rows(told):
    metrics = told.metrics
    assert metrics["privacy_copies"] == 1
    assert metrics["privacy_membership_auc"] > 0.9
    assert metrics["fidelity_marginal"] == pytest.approx(metrics["fidelity_training_marginal"], abs=1e-9)
    assert set(metrics) == {
        *(f"{kind}_{name}" for kind in ("fidelity", "fidelity_training") for name in FIDELITY),
        *(f"privacy_{name}" for name in PRIVACY),
    }


def test_the_table_holds_every_class_forged_and_training_rows(told):
    found = pd.read_csv(io.StringIO(told.texts["evaluation/fidelity.csv"]))
    assert list(zip(found["rows"], found["class"], strict=True)) == [
        (rows, name) for rows in ("forged", "training") for name in ("few", "rare")
    ]
    assert found["held_out_rows"].tolist() == [20, 4, 20, 4]
    assert found["marginal"].isna().tolist() == [False, True, False, True]


def test_the_card_shows_the_means_and_says_how_many_classes_they_are_of(told):
    written = told.quality.to_markdown()
    assert "1 of 2 have the 10 test rows that it takes" in written
    marginal = told.metrics["fidelity_marginal"]
    assert f"| marginal | {marginal:.3f} | {marginal:.3f} |" in written
    assert "| copies | 1.000 |  |" in written


def test_without_a_class_that_grows_nothing_is_measured():
    told = logged({"few": 0, "rare": 4})
    assert np.isnan(list(told.metrics.values())).all()
    assert "| marginal |  |  |" in told.quality.to_markdown()
