import numpy as np
import pandas as pd
import pytest

from rareflow.errors import ConfigError, DataError
from rareflow.evaluation.detectors import DETECTORS, FeatureEncoder, evaluate_detectors, macro_f1

LABELS = ["calm", "flood", "scan"]


def traffic(rows=300, seed=0):
    """Make rows of mixed types whose classes can be told apart but for some noise."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, rows)
    frame = pd.DataFrame(
        {
            "bytes": codes + rng.normal(0, 0.6, rows),
            "port": rng.integers(0, 1000, rows).astype(np.int16),
            "open": codes + rng.integers(0, 2, rows) > 1,
            "protocol": pd.Categorical(np.array(["tcp", "udp", "icmp"])[rng.integers(0, 3, rows)]),
            "flag": pd.Series(np.array(["S", "F"])[rng.integers(0, 2, rows)], dtype="str"),
        }
    )
    return frame, np.array(LABELS, dtype=object)[codes]


def judge(train, test, **options):
    return evaluate_detectors(*train, *test, **{"labels": LABELS, "seed": 0} | options)


def bits(scores):
    return {name: (each.summary(), each.confusion.tolist()) for name, each in scores.items()}


def test_numbers_and_booleans_pass_through_and_categories_become_one_column_each():
    X = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "b": [True, False, True],
            "c": pd.Categorical(["x", None, "y"]),
            "i": pd.array([5, None, 7], dtype="Int64"),
        }
    )
    matrix = FeatureEncoder.fit(X).transform(X)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, [[1, 1, 1, 0, 5], [2, 0, 0, 0, np.nan], [3, 1, 0, 1, 7]])


def test_an_unknown_category_is_zero_in_every_column():
    encoder = FeatureEncoder.fit(pd.DataFrame({"c": ["x", "y"]}))
    assert encoder.transform(pd.DataFrame({"c": ["z", "y"]})).tolist() == [[0, 0], [0, 1]]


def test_missing_numbers_stay_missing_and_huge_ones_stay_finite():
    X = pd.DataFrame({"n": [np.nan, 1e300, -1e300, 2.3e38]})
    column = FeatureEncoder.fit(X).transform(X)[:, 0]
    limit = np.finfo(np.float32).max
    np.testing.assert_array_equal(column, np.array([np.nan, limit, -limit, 2.3e38], dtype=np.float32))


def test_columns_are_found_by_name_whatever_their_order():
    X, _ = traffic()
    encoder = FeatureEncoder.fit(X)
    np.testing.assert_array_equal(encoder.transform(X[X.columns[::-1]]), encoder.transform(X))


def test_a_category_that_a_dtype_names_but_no_training_row_has_makes_no_column():
    column = pd.Categorical(["x", "y", "z"])
    assert FeatureEncoder.fit(pd.DataFrame({"c": column[:2]})).transform(
        pd.DataFrame({"c": column})
    ).shape == (3, 2)


def test_what_is_learned_does_not_depend_on_which_test_rows_there_are():
    train, test = traffic(), traffic(seed=1)
    strange = test[0].assign(protocol="never seen", bytes=1e38)
    both = (pd.concat([test[0], strange], ignore_index=True), np.concatenate([test[1], test[1]]))
    alone = judge(train, test)
    of_strange = judge(train, (strange, test[1]))
    of_both = judge(train, both)
    for name in DETECTORS:
        confusion = alone[name].confusion + of_strange[name].confusion
        assert of_both[name].confusion.tolist() == confusion.tolist()


def test_every_detector_learns_what_can_be_learned():
    scores = judge(traffic(), traffic(seed=1))
    assert list(scores) == list(DETECTORS)
    assert all(each.macro_f1 > 0.5 for each in scores.values())
    assert macro_f1(scores) == pytest.approx(np.mean([each.macro_f1 for each in scores.values()]))


def test_every_detector_takes_missing_and_huge_values():
    X, y = traffic()
    X["bytes"] = X["bytes"].mask(np.arange(len(X)) % 7 == 0)
    X["measurement"] = np.where(np.arange(len(X)) % 5 == 0, 2.3e38, -1e300)
    assert all(each.macro_f1 > 0.5 for each in judge((X, y), (X, y)).values())


def test_the_same_seed_gives_the_same_bits():
    train, test = traffic(), traffic(seed=1)
    assert bits(judge(train, test)) == bits(judge(train, test))


def test_another_seed_grows_another_forest():
    train, test = traffic(), traffic(seed=1)
    assert bits(judge(train, test, detectors=["rf"])) != bits(judge(train, test, detectors=["rf"], seed=1))


def test_a_forest_on_two_threads_gives_the_bits_of_one_thread():
    train, test = traffic(), traffic(seed=1)
    assert bits(judge(train, test, detectors=["rf"], n_threads=2)) == bits(
        judge(train, test, detectors=["rf"])
    )


def test_a_training_part_of_one_class_predicts_that_class():
    X, y = traffic()
    calm = y == "calm"
    for scores in judge((X[calm], y[calm]), (X, y)).values():
        assert scores.confusion.sum(axis=0).tolist() == [len(y), 0, 0]


def test_classes_missing_from_the_training_part_cost_recall_and_nothing_else():
    X, y = traffic()
    kept = y != "flood"
    for scores in judge((X[kept], y[kept]), (X, y)).values():
        assert scores.per_class["flood"].recall == 0
        assert scores.per_class["scan"].recall > 0.5


def test_an_unknown_detector_is_refused():
    with pytest.raises(ConfigError, match="detector 'svm' is unknown; choose among xgb, rf, dt"):
        judge(traffic(), traffic(), detectors=["rf", "svm"])


@pytest.mark.parametrize("part", ["training", "test"])
def test_a_part_without_rows_is_refused(part):
    X, y = traffic()
    whole, empty = (X, y), (X[:0], y[:0])
    with pytest.raises(DataError, match=f"the {part} part has no row; a detector needs at least one"):
        judge(*((empty, whole) if part == "training" else (whole, empty)))


@pytest.mark.parametrize("part", ["training", "test"])
def test_features_and_labels_of_different_lengths_are_refused(part):
    X, y = traffic()
    whole, broken = (X, y), (X, y[:-1])
    with pytest.raises(DataError, match=f"the {part} part has 300 rows of features but 299 labels"):
        judge(*((broken, whole) if part == "training" else (whole, broken)))


def test_a_test_part_that_lacks_a_column_is_refused():
    X, y = traffic()
    with pytest.raises(
        DataError, match="column 'port' of the training rows is missing; give both parts the same"
    ):
        judge((X, y), (X.drop(columns="port"), y))
