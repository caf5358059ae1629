import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from rareflow.generators.forests import extra_trees, random_forest

PAIRS = [(random_forest, RandomForestClassifier), (extra_trees, ExtraTreesClassifier)]


def rows(classes=5, count=400, columns=7, seed=0):
    """Make rows of flags, whole numbers and reals with a missing value here and there, and their classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, count)
    x = rng.normal(size=(count, columns)) + y[:, None] * rng.normal(size=columns)
    x[:, ::3] = x[:, ::3] > 0
    x[:, 1] = np.round(3 * x[:, 1])
    x[rng.random(x.shape) < 0.02] = np.nan
    return np.asfortranarray(x, dtype=np.float32), y


def assert_same(own, plain):
    """Check the structure of every tree, the classes and the votes, to the last bit."""
    assert len(own.estimators_) == len(plain.estimators_)
    for one, other in zip(own.estimators_, plain.estimators_, strict=True):
        assert one.tree_.__getstate__()["nodes"].tobytes() == other.tree_.__getstate__()["nodes"].tobytes()
        assert one.tree_.value.tobytes() == other.tree_.value.tobytes()
        assert one.random_state == other.random_state
    np.testing.assert_array_equal(own.classes_, plain.classes_)


@pytest.mark.parametrize(("own", "plain"), PAIRS)
@pytest.mark.parametrize("depth", [None, 4])
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_a_forest_is_scikit_learn_s_own_to_the_last_bit(own, plain, depth, classes):
    x, y = rows(classes)
    how = {"n_estimators": 12, "max_depth": depth, "random_state": 3}
    both = [make(**how).fit(x[:300], y[:300]) for make in (own, plain)]
    assert_same(*both)
    np.testing.assert_array_equal(*(each.predict_proba(x[300:]) for each in both))
    np.testing.assert_array_equal(*(each.predict(x[300:]) for each in both))


@pytest.mark.parametrize(("own", "plain"), PAIRS)
def test_weighted_rows_and_classes_by_other_names_are_taken_as_scikit_learn_takes_them(own, plain):
    x, y = rows()
    weight = np.random.default_rng(1).random(len(y)) + 0.1
    names = np.array(["e", "d", "c", "b", "a"])[y]
    both = [make(n_estimators=6, random_state=0).fit(x, names, sample_weight=weight) for make in (own, plain)]
    assert_same(*both)
    np.testing.assert_array_equal(*(each.predict(x) for each in both))


@pytest.mark.parametrize(("own", "plain"), PAIRS)
def test_no_tree_looks_for_its_classes_again(own, plain, monkeypatch):
    looked = []
    monkeypatch.setattr(
        "sklearn.tree._classes.check_classification_targets", lambda *_args, **_named: looked.append(1)
    )
    x, y = rows()
    own(n_estimators=4, random_state=0).fit(x, y)
    assert looked == []
    plain(n_estimators=4, random_state=0).fit(x, y)
    assert len(looked) == 4
