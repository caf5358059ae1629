import numpy as np
import pandas as pd
import pytest

from rareflow.errors import ConfigError, DataError
from rareflow.evaluation import classifiers
from rareflow.evaluation.classifiers import check_detectors
from rareflow.evaluation.detectors import DETECTORS, FeatureEncoder, evaluate_detectors, mean_macro_f1

LABELS = ["calm", "flood", "scan"]
BAYES, NEIGHBORS = "sklearn.naive_bayes.GaussianNB", "sklearn.neighbors.KNeighborsClassifier"
LOGISTIC = "sklearn.linear_model.LogisticRegression"


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
    assert mean_macro_f1(scores) == pytest.approx(np.mean([each.macro_f1 for each in scores.values()]))


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


@pytest.mark.parametrize("name", ["dt", "sklearn.tree.DecisionTreeClassifier"])
def test_a_whole_weight_is_as_good_as_so_many_rows(name):
    X, y = traffic()
    weight = np.random.default_rng(0).integers(1, 4, len(y))
    again = np.repeat(np.arange(len(y)), weight)
    repeated = X.iloc[again].reset_index(drop=True), y[again]
    test = traffic(seed=1)
    weighted = judge((X, y), test, detectors=[name], weight=weight.astype(float))
    assert bits(weighted) == bits(judge(repeated, test, detectors=[name]))


@pytest.mark.parametrize("name", [*DETECTORS, LOGISTIC])
def test_weights_change_what_is_learned(name):
    (X, y), test = traffic(), traffic(seed=1)
    weight = np.where(y == "scan", 1000.0, 1.0)
    plain, heavy = (judge((X, y), test, detectors=[name], weight=each)[name] for each in (None, weight))
    assert (plain.confusion != heavy.confusion).any()


@pytest.mark.parametrize("name", [*DETECTORS, BAYES])
def test_odds_of_1_change_nothing(name):
    train, test = traffic(), traffic(seed=1)
    plain = judge(train, test, detectors=[name])
    assert bits(plain) == bits(judge(train, test, detectors=[name], odds=dict.fromkeys(LABELS, 1.0)))


@pytest.mark.parametrize("name", [*DETECTORS, LOGISTIC])
def test_equal_odds_of_all_classes_change_nothing(name):
    train, test = traffic(), traffic(seed=1)
    plain = judge(train, test, detectors=[name])
    assert bits(plain) == bits(judge(train, test, detectors=[name], odds=dict.fromkeys(LABELS, 2.0)))


@pytest.mark.parametrize("name", ["xgb", LOGISTIC])
def test_huge_odds_predict_their_class_always(name):
    train, test = traffic(), traffic(seed=1)
    scores = judge(train, test, detectors=[name], odds={"flood": 1e30})[name]
    assert scores.per_class["flood"].recall == 1
    assert scores.confusion.sum(axis=0).tolist() == [0, len(test[1]), 0]


def test_huge_odds_predict_their_class_wherever_a_forest_gives_it_any_vote():
    train, test = traffic(), traffic(seed=1)
    plain = judge(train, test, detectors=["rf"])["rf"]
    tilted = judge(train, test, detectors=["rf"], odds={"flood": 1e30})["rf"]
    assert tilted.per_class["flood"].recall > plain.per_class["flood"].recall
    assert tilted.confusion[:, 1].sum() < len(test[1])


def test_odds_of_a_class_that_no_training_row_has_do_nothing():
    (X, y), test = traffic(), traffic(seed=1)
    kept = y != "flood"
    train = X[kept], y[kept]
    assert bits(judge(train, test, odds={"flood": 9.0})) == bits(judge(train, test))


def test_odds_leave_a_training_part_of_one_class_alone():
    X, y = traffic()
    calm = y == "calm"
    for scores in judge((X[calm], y[calm]), (X, y), odds={"calm": 0.5}).values():
        assert scores.confusion.sum(axis=0).tolist() == [len(y), 0, 0]


@pytest.mark.parametrize("name", [BAYES, NEIGHBORS, LOGISTIC, "sklearn.ensemble.ExtraTreesClassifier"])
def test_any_classifier_is_a_detector_by_its_import_path(name):
    X, y = traffic()
    X["bytes"] = X["bytes"].mask(np.arange(len(X)) % 7 == 0)
    X["measurement"] = np.where(np.arange(len(X)) % 5 == 0, 2.3e38, -1e300)
    X["void"] = np.nan
    scores = judge((X, y), (X, y), detectors=[name])
    assert list(scores) == [name]
    assert scores[name].macro_f1 > 0.5
    assert bits(scores) == bits(judge((X, y), (X, y), detectors=[name]))


def test_a_detector_by_its_path_is_seeded():
    train, test, name = traffic(), traffic(seed=1), "sklearn.ensemble.ExtraTreesClassifier"
    assert bits(judge(train, test, detectors=[name])) != bits(judge(train, test, detectors=[name], seed=1))


def test_a_forest_by_its_path_is_our_forest_on_any_number_of_threads():
    train, test, name = traffic(), traffic(seed=1), "sklearn.ensemble.RandomForestClassifier"
    ours = bits(judge(train, test, detectors=["rf"]))["rf"]
    assert bits(judge(train, test, detectors=[name], n_threads=2))[name] == ours


def test_missing_numbers_are_filled_by_the_training_part_alone():
    (X, y), test = traffic(), traffic(seed=1)
    other = test[0].assign(bytes=test[0]["bytes"].mask(np.arange(300) % 2 == 0))
    shifted = other.assign(bytes=other["bytes"].fillna(X["bytes"].median().astype(np.float32)))
    assert bits(judge((X, y), (other, test[1]), detectors=[BAYES])) == bits(
        judge((X, y), (shifted, test[1]), detectors=[BAYES])
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("svm", "'svm' is unknown; .* or give a classifier's import path such as sklearn.naive_bayes"),
        ("sklearn.nowhere.Thing", "'sklearn.nowhere.Thing' cannot be imported: No module named"),
        ("sklearn.svm.Thing", "'sklearn.svm.Thing' cannot be imported: module .* has no attribute 'Thing'"),
        (".GaussianNB", "'.GaussianNB' cannot be imported"),
        ("sklearn.base.clone", "'sklearn.base.clone' is no scikit-learn classifier; give the path of one"),
        ("sklearn.linear_model.Ridge", "'sklearn.linear_model.Ridge' is no scikit-learn classifier"),
        ("sklearn.ensemble.VotingClassifier", "cannot be made without arguments: .*'estimators'"),
        ("sklearn.naive_bayes.MultinomialNB", "takes no negative numbers, which tables hold; take another"),
    ],
)
def test_what_is_no_detector_is_refused_with_the_reason(name, why):
    with pytest.raises(ConfigError, match=f"detector .*{why}"):
        check_detectors([name])


def test_a_detector_that_takes_no_weights_is_refused_them():
    X, y = traffic()
    with pytest.raises(ConfigError, match="KNeighborsClassifier' takes no sample_weight, so rows cannot be"):
        judge((X, y), (X, y), detectors=["dt", NEIGHBORS], weight=np.ones(len(y)))


def test_a_detector_without_probabilities_is_refused_odds():
    X, y = traffic()
    with pytest.raises(ConfigError, match="SVC' has no predict_proba, so thresholds cannot be moved"):
        judge((X, y), (X, y), detectors=["dt", "sklearn.svm.LinearSVC"], odds={"calm": 2.0})


def test_weights_of_another_length_are_refused():
    with pytest.raises(DataError, match="the training part has 300 rows but 299 weights"):
        judge(traffic(), traffic(), weight=np.ones(299))


def test_odds_of_a_strange_class_are_refused():
    with pytest.raises(DataError, match=r"odds name the class 'x', which is not among the labels \['calm'"):
        judge(traffic(), traffic(), odds={"x": 2.0})


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_odds_that_are_no_positive_number_are_refused(factor):
    with pytest.raises(ConfigError, match="the odds of class 'calm' must be a finite number above 0, not"):
        judge(traffic(), traffic(), odds={"calm": factor})


@pytest.mark.parametrize("odds", [None, {"calm": 2.0}])
def test_a_classifier_that_cannot_take_the_rows_is_named_with_the_reason_and_the_remedy(odds):
    name = "sklearn.neighbors.RadiusNeighborsClassifier"
    with pytest.raises(ConfigError) as refused:
        judge(traffic(9), traffic(seed=1), detectors=("dt", name), odds=odds)
    said = str(refused.value)
    assert said.startswith(f"detector {name!r} fails on 9 training rows of 3 classes and 300 rows to predict")
    assert said.endswith("; take another detector, or give more rows")


def test_an_error_within_our_own_detectors_is_a_bug_and_comes_as_it_is(monkeypatch):
    def fail(*_args, **_options):
        raise ValueError("a bug")

    monkeypatch.setattr(classifiers.DecisionTreeClassifier, "fit", fail)
    with pytest.raises(ValueError, match=r"^a bug$"):
        judge(traffic(), traffic(), detectors=("dt",))
