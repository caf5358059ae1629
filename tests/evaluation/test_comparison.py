import numpy as np
import pandas as pd
import pytest

import rareflow.evaluation.comparison
from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.errors import DataError
from rareflow.evaluation.balance import new_rows
from rareflow.evaluation.comparison import OURS, RAW, SMOTE, check_test_classes, compare, summary_table
from rareflow.evaluation.detectors import DETECTORS, evaluate_detectors
from rareflow.generators.estimators import VAEWGANGP

CLASS_ROWS = {"few": 45, "rare": 36}


def table(seed, classes=("many", "few", "rare")):
    """Make classes of 80, 15 and 6 rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(classes, [80, 15, 6][: len(classes)])
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=len(y)) + (y == "few"),
            "whole": rng.integers(0, 50, len(y)),
            "label": y,
        }
    )
    return Table(frame, Schema.infer(frame.drop(columns="label")), "label")


@pytest.fixture(scope="module")
def train():
    return table(0)


@pytest.fixture(scope="module")
def test():
    return table(1)


@pytest.fixture(scope="module")
def generator(train):
    settings = {"steps": 3, "hidden_dim": 16, "n_critic": 1, "device": "cpu", "random_state": 0}
    return VAEWGANGP(**settings).fit(train.X, train.y).generator_


@pytest.fixture
def calls(monkeypatch):
    seen = []

    def evaluate(*tables, **how):
        seen.append((tables, how))
        return {}

    monkeypatch.setattr(rareflow.evaluation.comparison, "evaluate_detectors", evaluate)
    return seen


def test_every_augmenter_meets_the_same_real_rows_test_rows_and_seed(train, test, generator, calls):
    assert list(compare(train, test, generator, CLASS_ROWS, seed=3, n_threads=1)) == [RAW, SMOTE, OURS]
    assert len(calls) == 3
    for (X, y, test_X, test_y), how in calls:
        pd.testing.assert_frame_equal(X.iloc[: len(train)], train.X)
        np.testing.assert_array_equal(y[: len(train)], train.labels)
        pd.testing.assert_frame_equal(test_X, test.X)
        np.testing.assert_array_equal(test_y, test.labels)
        assert how == {"labels": ["many", "few", "rare"], "seed": 3, "n_threads": 1}


def test_smote_and_the_generator_grow_every_class_alike_and_raw_none(train, test, generator, calls):
    compare(train, test, generator, CLASS_ROWS, seed=3)
    new = new_rows(train.class_counts, CLASS_ROWS)
    grown = [pd.Series(y).value_counts().to_dict() for (_, y, _, _), _ in calls]
    assert grown[0] == train.class_counts
    assert grown[1] == grown[2] == {name: n + new.get(name, 0) for name, n in train.class_counts.items()}
    smote, ours = (X.iloc[len(train) :] for (X, *_), _ in calls[1:])
    assert not smote.equals(ours)


def test_without_a_generator_raw_stands_alone_and_is_the_detectors_on_the_plain_table(train, test):
    heard = []
    found = compare(train, test, None, CLASS_ROWS, seed=3, on_score=heard.append)
    plain = evaluate_detectors(
        train.X, train.labels, test.X, test.labels, labels=list(train.class_counts), seed=3
    )
    assert list(found) == heard == [RAW]
    assert list(found[RAW]) == list(DETECTORS)
    for name, scores in found[RAW].items():
        np.testing.assert_array_equal(scores.confusion, plain[name].confusion)


def test_each_augmenter_is_named_before_it_is_scored(train, test, generator, calls):
    heard = []
    compare(
        train, test, generator, CLASS_ROWS, seed=3, on_score=lambda name: heard.append((name, len(calls)))
    )
    assert heard == [(RAW, 0), (SMOTE, 1), (OURS, 2)]


def test_same_seed_same_scores(train, test, generator):
    one, two = (summary_table(compare(train, test, generator, CLASS_ROWS, seed=3)) for _ in range(2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_class_of_the_training_part_alone_is_scored_without_it(train):
    test = table(1, classes=("many", "few"))
    found = compare(train, test, None, {}, seed=0)
    assert found[RAW]["dt"].per_class["rare"].support == 0


def test_all_classes_that_occur_in_the_test_part_only_are_refused_at_once_the_largest_first(test):
    with pytest.raises(DataError) as caught:
        compare(table(0, classes=("many",)), test, None, {}, seed=0)
    assert str(caught.value) == (
        "classes that occur in the test part only: 'few' (15 rows), 'rare' (6 rows); no detector can learn "
        "them: add training rows of them, or leave them out of the test part with --unseen-classes drop"
    )


def test_of_many_classes_that_occur_in_the_test_part_only_the_largest_are_named_and_their_number(train):
    frame = pd.DataFrame(
        {"x": 1.0, "whole": 1, "label": np.repeat([f"c{i}" for i in range(20)], range(1, 21))}
    )
    with pytest.raises(DataError) as caught:
        check_test_classes(train, Table(frame, Schema.infer(frame.drop(columns="label")), "label"))
    largest = ", ".join(f"'c{i}' ({i + 1} rows)" for i in range(19, 12, -1))
    assert f"only: {largest}, ... (20 in all), 'c0' (1 rows); no detector" in str(caught.value)


def test_the_summary_holds_percentages_one_row_an_augmenter_and_detector(train, test, generator):
    comparison = compare(train, test, generator, CLASS_ROWS, seed=3)
    summary = summary_table(comparison)
    assert list(zip(summary["augmenter"], summary["detector"], strict=True)) == [
        (name, detector) for name in (RAW, SMOTE, OURS) for detector in DETECTORS
    ]
    for row in summary.to_dict("records"):
        scores = comparison[row.pop("augmenter")][row.pop("detector")].summary()
        assert row == {name: 100 * value for name, value in scores.items()}
