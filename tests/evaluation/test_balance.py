import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rareflow.errors import ConfigError
from rareflow.evaluation.balance import AMOUNTS, balanced_counts, boosts, default_class_rows, forge, new_rows
from rareflow.generators.estimators import VAEWGANGP

COUNTS = {"few": 20, "one": 4, "two": 9}


def table(seed=0):
    """Make rows of every dtype, in classes of 60, 8, 2 and 1 rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.array(["many", "few", "two", "one"], dtype=object), [60, 8, 2, 1])
    rng.shuffle(y)
    rows = len(y)
    pick = rng.integers(0, 2, rows)
    frame = pd.DataFrame(
        {
            "float": rng.normal(size=rows),
            "single": rng.normal(size=rows).astype(np.float32),
            "tiny": rng.integers(-50, 50, rows).astype(np.int8),
            "wide": rng.integers(0, 2**40, rows),
            "nullable": pd.array(rng.integers(0, 9, rows), dtype="Int64"),
            "bool": rng.random(rows) < 0.5,
            "category": pd.Categorical(np.array(["x", "y"])[pick], categories=["x", "y", "z"], ordered=True),
            "text": pd.Series(np.array(["S", "F"])[pick], dtype="str"),
            "object": pd.Series(np.array(["S", "F"])[pick], dtype="object"),
            "gaps": np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows)),
        }
    )
    return frame, y


@pytest.fixture(scope="module")
def generator():
    X, y = table()
    settings = {"steps": 3, "hidden_dim": 16, "n_critic": 1, "device": "cpu", "random_state": 0}
    return VAEWGANGP(**settings).fit(X, y).generator_


counts = st.dictionaries(st.text(max_size=3), st.integers(1, 10_000), min_size=1, max_size=6)


@given(counts, st.data())
def test_a_class_gets_its_rows_but_none_outgrows_the_largest_and_none_shrinks(class_counts, data):
    class_rows = {label: data.draw(st.integers(0, 12_000)) for label in class_counts}
    wanted = new_rows(class_counts, class_rows)
    largest = max(class_counts.values())
    for label, count in class_counts.items():
        after = count + wanted.get(label, 0)
        assert after <= largest
        assert after == (count if count >= class_rows[label] else min(class_rows[label], largest))
    assert all(new > 0 for new in wanted.values())


@given(counts, st.integers(0, 12_000))
def test_a_class_that_is_not_named_is_left_alone(class_counts, rows):
    *named, _ = class_counts
    wanted = new_rows(class_counts, dict.fromkeys([*named, "unheard of"], rows))
    assert set(wanted) <= set(named)


@given(counts, st.integers(0, 12_000))
def test_a_balanced_table_needs_no_row_more(class_counts, rows):
    by_class = dict.fromkeys(class_counts, rows)
    wanted = new_rows(class_counts, by_class)
    after = {label: count + wanted.get(label, 0) for label, count in class_counts.items()}
    assert new_rows(after, by_class) == {}


@pytest.mark.parametrize(
    ("class_rows", "expected"),
    [
        ({}, {}),
        ({"big": 700, "mid": 0, "rare": 0}, {}),
        ({"mid": 30, "rare": 2}, {}),
        ({"mid": 31, "rare": 60}, {"mid": 1, "rare": 57}),
        ({"mid": 700, "rare": 100}, {"mid": 70, "rare": 97}),
    ],
)
def test_what_a_class_lacks_is_forged_up_to_the_largest_class(class_rows, expected):
    assert new_rows({"big": 100, "mid": 30, "rare": 3}, class_rows) == expected


@given(counts, st.floats(0, 1))
def test_a_class_grows_geometrically_towards_the_largest_one(class_counts, amount):
    wanted = balanced_counts(class_counts, amount)
    largest = max(class_counts.values())
    for label, count in class_counts.items():
        target = count ** (1 - amount) * largest**amount
        assert count + wanted.get(label, 0) == pytest.approx(target, abs=0.51)
        assert count + wanted.get(label, 0) <= largest
    assert all(new > 0 for new in wanted.values())


@given(counts)
def test_amount_0_forges_nothing_and_amount_1_balances(class_counts):
    assert balanced_counts(class_counts, AMOUNTS[0]) == {}
    full = balanced_counts(class_counts, AMOUNTS[-1])
    assert {count + full.get(label, 0) for label, count in class_counts.items()} == {
        max(class_counts.values())
    }


def test_half_way_to_balance_is_the_geometric_mean():
    assert balanced_counts({"big": 100, "mid": 25, "rare": 1}, 0.5) == {"mid": 25, "rare": 9}
    assert boosts({"big": 100, "mid": 25, "rare": 1}, 0.5) == {"big": 1.0, "mid": 2.0, "rare": 10.0}


@pytest.mark.parametrize("amount", [-0.1, 1.5, float("nan")])
def test_an_amount_outside_0_to_1_is_refused(amount):
    with pytest.raises(ConfigError, match=f"the amount must lie between 0 .* and 1 .*, not {amount}"):
        balanced_counts({"a": 2, "b": 1}, amount)


def test_forging_gives_exact_counts_after_the_real_rows_in_their_dtypes(generator):
    X, y = table()
    before = X.copy()
    new_X, new_y = forge(X, y, COUNTS, generator=generator, seed=0)
    assert len(new_X) == len(new_y) == len(y) + sum(COUNTS.values())
    assert new_X.index.equals(pd.RangeIndex(len(new_X)))
    pd.testing.assert_frame_equal(new_X.iloc[: len(X)], before)
    pd.testing.assert_frame_equal(X, before)
    assert new_X.dtypes.equals(X.dtypes)
    np.testing.assert_array_equal(new_y[: len(y)], y)
    assert new_y.dtype == object
    assert new_y[len(y) :].tolist() == ["few"] * 20 + ["one"] * 4 + ["two"] * 9


def test_each_forged_row_stands_beside_the_label_it_was_forged_for(generator):
    X, y = table()
    new_X, new_y = forge(X, y, {"one": 4}, generator=generator, seed=0)
    assert new_y[len(y) :].tolist() == ["one"] * 4
    lone = X.loc[y == "one"].iloc[[0] * 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(new_X.iloc[len(X) :].reset_index(drop=True), lone)


def test_columns_are_matched_by_name_not_by_place(generator):
    X, y = table()
    turned = X[X.columns[::-1]]
    straight, _ = forge(X, y, COUNTS, generator=generator, seed=0)
    other, _ = forge(turned, y, COUNTS, generator=generator, seed=0)
    pd.testing.assert_frame_equal(other[X.columns], straight)


def test_a_table_whose_dtypes_are_wider_than_the_generators_keeps_them(generator):
    X, y = table()
    X = X.astype({"tiny": "int32", "single": "float64", "wide": "float64"})
    X["category"] = X["category"].cat.set_categories(["w", "x", "y", "z"])
    new_X, _ = forge(X, y, COUNTS, generator=generator, seed=0)
    assert new_X.dtypes.equals(X.dtypes)


def test_nothing_to_forge_leaves_the_table_as_it_is(generator):
    X, y = table()
    new_X, new_y = forge(X, y, {}, generator=generator, seed=0)
    assert new_X is X
    assert new_y is y


def test_same_seed_same_rows(generator):
    X, y = table()
    rows = [forge(X, y, COUNTS, generator=generator, seed=seed)[0] for seed in (1, 1, 2)]
    pd.testing.assert_frame_equal(rows[0], rows[1], check_exact=True)
    assert not rows[0].equals(rows[2])


@pytest.mark.parametrize(("largest", "rows"), [(3, 700), (4_300, 700), (5_600, 700), (60_000, 7_500)])
def test_the_default_rows_are_700_or_an_eighth_of_the_largest_class(largest, rows):
    assert default_class_rows({"big": largest, "rare": 2}) == rows
