import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import BorderlineSMOTE
from sklearn.neighbors import NearestNeighbors

from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.evaluation.augmenters import borderline
from rareflow.evaluation.augmenters.borderline import Adasyn, BorderlineSmote

BOTH = pytest.mark.parametrize("kind", [BorderlineSmote, Adasyn])


def as_table(X, y):
    return Table(X.assign(label=y), Schema.infer(X), "label")


def overlapping(seed=0):
    """Make two rare classes that reach into a large one."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.array(["big", "near", "far"], dtype=object), [300, 60, 30])
    X = pd.DataFrame(rng.normal(size=(390, 3)), columns=list("abc"))
    X["a"] += np.select([y == "near", y == "far"], [1.5, 3.0])
    return X, y


def fitted(kind, X, y, seed=0):
    made = kind()
    made.fit(as_table(X, y), seed=seed)
    return made


def forged(made, amount=1.0):
    given = made.training_set(amount)
    first = len(given.X) - given.forged
    return given.X.iloc[first:].assign(label=given.y[first:])


def parents(made, X, y, label):
    return X.index[y == label][made._kin[label].weight > 0]


def test_the_parents_of_borderline_smote_are_the_rows_in_danger_of_imbalanced_learn():
    X, y = overlapping()
    made = fitted(BorderlineSmote, X, y)
    reference = BorderlineSMOTE(random_state=0)
    reference.fit_resample(X, y)
    for label in ("near", "far"):
        assert parents(made, X, y, label).tolist() == reference.in_danger_indices[label].tolist()


def test_adasyn_starts_from_a_row_as_often_as_it_has_foreign_neighbours():
    X, y = overlapping()
    near = NearestNeighbors(n_neighbors=6).fit(X).kneighbors(X[y == "near"], return_distance=False)[:, 1:]
    share = (y[near] != "near").sum(axis=1)
    np.testing.assert_allclose(fitted(Adasyn, X, y)._kin["near"].weight, share / share.sum())


@BOTH
def test_new_rows_lie_between_a_parent_and_one_of_its_five_nearest_of_the_class(kind):
    X, y = overlapping()
    made = fitted(kind, X, y)
    own = X[y == "far"].to_numpy()
    near = NearestNeighbors(n_neighbors=6).fit(own).kneighbors(own, return_distance=False)[:, 1:]
    starts = np.flatnonzero(made._kin["far"].weight)
    pairs = np.array([(i, j) for i in starts for j in near[i]])
    start, way = own[pairs[:, 0]], own[pairs[:, 1]] - own[pairs[:, 0]]
    for row in forged(made).query("label == 'far'")[list("abc")].to_numpy()[:50]:
        step = np.clip(((row - start) * way).sum(axis=1) / (way**2).sum(axis=1), 0, 1)
        assert np.linalg.norm(start + step[:, None] * way - row, axis=1).min() < 1e-9


@BOTH
def test_a_class_that_no_other_comes_near_is_smoted_from_all_its_rows(kind):
    X, y = overlapping()
    X.loc[y == "far", "a"] += 1000
    made = fitted(kind, X, y)
    assert len(parents(made, X, y, "far")) == 30
    assert forged(made).query("label == 'far'")["a"].between(900, 1100).all()


@BOTH
def test_a_row_s_neighbours_are_of_its_own_category_where_numbers_do_not_tell_them_apart(kind):
    place = np.arange(80) // 2 / 40
    is_odd = np.arange(80) % 2 == 1
    X = pd.DataFrame({"n": place, "c": np.where(is_odd, "odd", "even"), "told": np.where(is_odd, 0.001, 0.0)})
    X = pd.concat([X, X, X], ignore_index=True)
    X["n"] += np.repeat([0.0, 0.01, 0.012], 80)
    rows = forged(fitted(kind, X, np.repeat(["rare", "big"], [80, 160])))
    assert set(rows["told"]) == {0.0, 0.001}


@BOTH
def test_categories_are_those_of_most_neighbours(kind):
    rng = np.random.default_rng(0)
    y = np.repeat(["big", "rare"], [60, 20])
    X = pd.DataFrame({"n": rng.normal(size=80), "c": np.where(np.arange(80) % 2, "odd", "even")})
    X["twin"] = X["c"] + "!"
    rows = forged(fitted(kind, X, y))
    assert set(rows["c"]) == {"odd", "even"}
    assert (rows["twin"] == rows["c"] + "!").all()


@BOTH
def test_where_no_column_is_a_number_rows_are_made_of_the_classs_own_categories(kind):
    y = np.repeat(["big", "rare"], [12, 3])
    X = pd.DataFrame({"c": ["p", "q", "r"] * 5, "d": ["s"] * 12 + ["t"] * 3})
    rows = forged(fitted(kind, X, y))
    assert len(rows) == 9
    assert set(rows["d"]) == {"t"}


@BOTH
def test_a_class_of_one_row_is_repeated_and_one_of_two_is_joined_by_a_line(kind):
    X = pd.DataFrame({"a": [0.1, 0.3, 0.7, 0.9, 5.0, 6.0, 0.3], "b": [1.0, 2, 3, 4, 10, 30, 0.1]})
    y = np.array(["big"] * 4 + ["two", "two", "one"], dtype=object)
    rows = forged(fitted(kind, X, y))
    one, two = rows[rows["label"] == "one"], rows[rows["label"] == "two"]
    assert (one[["a", "b"]] == [0.3, 0.1]).all(axis=None)
    np.testing.assert_allclose(two["b"], 10 + 20 * (two["a"] - 5))
    assert two["a"].between(5, 6).all()


@BOTH
def test_values_to_1e38_neither_warn_nor_overflow(kind):
    X, y = overlapping()
    X["huge"] = np.where(np.arange(len(X)) % 2, 2.3e38, -1e38)
    X["single"] = np.where(np.arange(len(X)) % 3, 3e38, -3e38).astype(np.float32)
    assert np.isfinite(forged(fitted(kind, X, y)).drop(columns="label").to_numpy(np.float64)).all()


@BOTH
def test_a_missing_number_is_the_median_of_its_class_in_new_rows(kind):
    X, y = overlapping()
    X["b"] = np.where(y == "far", 3.0, 0.0)
    X.loc[np.flatnonzero(y == "far")[:10], "b"] = np.nan
    assert (forged(fitted(kind, X, y)).query("label == 'far'")["b"] == 3.0).all()


@BOTH
def test_a_class_of_very_many_rows_draws_its_parents_among_some_of_them(kind, monkeypatch):
    monkeypatch.setattr(borderline, "_MOST_PARENTS", 20)
    X, y = overlapping()
    made = fitted(kind, X, y)
    assert len(made._kin["near"].X) == len(made._kin["far"].X) == 20
    assert made._kin["near"].X.index.isin(X.index[y == "near"]).all()
    assert len(forged(made)) == 240 + 270
