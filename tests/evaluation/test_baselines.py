import numpy as np
import pandas as pd
import pytest

from rareflow.errors import ConfigError, DataError
from rareflow.evaluation.baselines import random_oversample, smote

RESAMPLERS = pytest.mark.parametrize("resample", [random_oversample, smote])
COUNTS = {"many": 7, "few": 20, "two": 9, "one": 4}


def table(seed=0):
    """Make rows of every dtype, in classes of 40, 8, 2 and 1 rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.array(["many", "few", "two", "one"], dtype=object), [40, 8, 2, 1])
    rng.shuffle(y)
    rows = len(y)
    frame = pd.DataFrame(
        {
            "float": rng.normal(size=rows),
            "single": rng.normal(size=rows).astype(np.float32),
            "int": rng.integers(-50, 50, rows).astype(np.int16),
            "nullable": pd.array(rng.integers(0, 9, rows), dtype="Int64"),
            "bool": rng.random(rows) < 0.5,
            "category": pd.Categorical(
                np.array(["x", "y"])[rng.integers(0, 2, rows)], categories=["x", "y", "z"]
            ),
            "text": pd.Series(np.array(["S", "F"])[rng.integers(0, 2, rows)], dtype="str"),
        }
    )
    return frame, y


def numbers(seed=0):
    frame, y = table(seed)
    return frame.drop(columns=["category", "text"]), y


@RESAMPLERS
@pytest.mark.parametrize("make", [table, numbers])
def test_each_class_grows_by_exactly_what_was_asked(resample, make):
    X, y = make()
    new_X, new_y = resample(X, y, COUNTS, seed=0)
    assert len(new_X) == len(new_y) == len(y) + sum(COUNTS.values())
    for label, new in COUNTS.items():
        assert (new_y == label).sum() == (y == label).sum() + new


@RESAMPLERS
@pytest.mark.parametrize("make", [table, numbers])
def test_the_given_rows_come_first_and_unchanged(resample, make):
    X, y = make()
    X.loc[::5, "float"] = np.nan
    before = X.copy()
    new_X, new_y = resample(X, y, COUNTS, seed=0)
    pd.testing.assert_frame_equal(new_X.iloc[: len(X)], before)
    pd.testing.assert_frame_equal(X, before)
    assert new_y[: len(y)].tolist() == y.tolist()
    assert new_X.index.equals(pd.RangeIndex(len(new_X)))


@RESAMPLERS
def test_dtypes_are_kept(resample):
    X, y = table()
    assert resample(X, y, COUNTS, seed=0)[0].dtypes.to_dict() == X.dtypes.to_dict()


@RESAMPLERS
def test_the_same_seed_gives_the_same_rows_and_another_seed_others(resample):
    X, y = table()
    once, again, other = (resample(X, y, COUNTS, seed=seed)[0] for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(once, again)
    assert not once.equals(other)


@RESAMPLERS
def test_no_growth_gives_the_table_back(resample):
    X, y = table()
    for counts in ({}, {"many": 0, "absent": 0}):
        new_X, new_y = resample(X, y, counts, seed=0)
        pd.testing.assert_frame_equal(new_X, X)
        assert new_y.tolist() == y.tolist()


def synthetic(resample, X, y, counts=None, seed=0):
    """Give the new rows with their labels as a column."""
    new_X, new_y = resample(X, y, counts or COUNTS, seed=seed)
    return new_X.assign(label=new_y).iloc[len(X) :]


def test_random_oversampling_repeats_rows_of_the_class():
    X, y = table()
    real = set(X.assign(label=y).itertuples(index=False, name=None))
    assert set(synthetic(random_oversample, X, y).itertuples(index=False, name=None)) <= real


@pytest.mark.parametrize("make", [table, numbers])
def test_smote_stays_within_the_range_of_the_class_and_makes_new_values(make):
    X, y = make()
    for label, rows in synthetic(smote, X, y).groupby("label"):
        real = X[y == label]
        assert rows["float"].between(real["float"].min(), real["float"].max()).all()
        assert rows["int"].between(real["int"].min(), real["int"].max()).all()
        assert rows["float"].isin(real["float"]).all() == (label == "one")


def test_smote_between_two_rows_lies_on_the_line_between_them():
    X = pd.DataFrame({"a": [0.0, 1.0, 5.0, 6.0], "b": [10.0, 30.0, 5.0, 6.0]})
    rows = synthetic(smote, X, np.array(["two", "two", "other", "other"], dtype=object), {"two": 20})
    np.testing.assert_allclose(rows["b"], 10 + 20 * rows["a"])


def test_smote_draws_between_a_row_and_its_five_nearest_alone():
    X = pd.DataFrame({"a": [0.0, 1, 2, 3, 4, 5, 1000, 1001, 1002, 1003, 1004, 1005]})
    rows = synthetic(smote, X, np.full(12, "pair", dtype=object), {"pair": 300})
    assert not rows["a"].between(5.001, 999.999).any()


def test_smote_takes_categories_from_the_class():
    X, y = table()
    X.loc[y == "few", "text"] = "S"
    assert (synthetic(smote, X, y, {"few": 30})["text"] == "S").all()


def test_smote_interpolates_from_the_median_where_a_number_is_missing():
    X, y = numbers()
    few = np.flatnonzero(y == "few")
    X["float"] = 3.0
    X.loc[few[:4], "float"] = np.nan
    assert (synthetic(smote, X, y, {"few": 30})["float"] == 3.0).all()


@pytest.mark.parametrize("make", [table, numbers])
def test_a_column_that_a_class_never_has_stays_missing(make):
    X, y = make()
    X.loc[y == "few", ["float", "nullable"]] = np.nan
    rows = synthetic(smote, X, y)
    assert rows.loc[rows["label"] == "few", ["float", "nullable"]].isna().all(axis=None)
    assert rows.loc[rows["label"] != "few", ["float", "nullable"]].notna().all(axis=None)


def test_a_missing_category_counts_as_a_category():
    X, y = table()
    X.loc[y == "few", ["category", "text"]] = np.nan
    assert synthetic(smote, X, y, {"few": 30})[["category", "text"]].isna().all(axis=None)


@pytest.mark.parametrize("make", [table, numbers])
@pytest.mark.parametrize("huge", [2.3e38, 1e155, -1.7e308])
def test_huge_values_neither_warn_nor_overflow(make, huge):
    X, y = make()
    X["single"] = np.where(np.arange(len(X)) % 2, 3e38, -3e38).astype(np.float32)
    X["measurement"] = np.where(np.arange(len(X)) % 3, huge, 1e-40)
    new_X, _ = smote(X, y, COUNTS, seed=0)
    assert np.isfinite(new_X[["single", "measurement"]].to_numpy(np.float64)).all()


def test_where_no_column_is_a_number_smote_repeats_rows():
    X, y = table()
    X = X[["category", "text"]]
    real = set(X.assign(label=y).itertuples(index=False, name=None))
    rows = synthetic(smote, X, y)
    assert len(rows) == sum(COUNTS.values())
    assert set(rows.itertuples(index=False, name=None)) <= real


def test_a_mixed_class_of_many_rows_is_interpolated_exactly_as_often_as_asked():
    rows = 6_000
    X = pd.DataFrame(
        {"n": np.arange(rows, dtype=np.float64), "c": np.array(["x", "y"])[np.arange(rows) // 3000]}
    )
    y = np.full(rows, "big", dtype=object)
    new = synthetic(smote, X, y, {"big": 500})
    assert len(new) == 500
    assert ((new["n"] < 3000) == (new["c"] == "x")).mean() > 0.98


@RESAMPLERS
def test_a_negative_count_is_refused(resample):
    with pytest.raises(ConfigError, match="class 'few' cannot grow by -1 rows; give 0 or more"):
        resample(*table(), {"few": -1}, seed=0)


@RESAMPLERS
def test_a_class_without_rows_is_refused(resample):
    with pytest.raises(DataError, match="class 'absent' has no row to resample; leave it out of the counts"):
        resample(*table(), {"absent": 3}, seed=0)


@RESAMPLERS
def test_features_and_labels_of_different_lengths_are_refused(resample):
    X, y = table()
    with pytest.raises(DataError, match="51 rows of features cannot be resampled with 50 labels"):
        resample(X, y[:-1], COUNTS, seed=0)
