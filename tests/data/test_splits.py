import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rareflow.data.schema import Schema
from rareflow.data.splits import inner_splits, split_table
from rareflow.data.table import Table
from rareflow.errors import ConfigError, DataError

KINDS = ("random", "grouped", "blocked")


def table_of(labels, features=None, clocks=()):
    frame = pd.DataFrame({"x": np.arange(len(labels))} if features is None else features)
    schema = Schema.infer(frame, clocks=clocks)
    return Table(frame.assign(label=labels), schema, "label")


def mixed_table(seed=0, rows=3000):
    """Episodes of ten rows, few distinct feature vectors, some of them with two labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.choice(["a", "b", "c", "d"], rows // 10, p=[0.6, 0.25, 0.1, 0.05]), 10)
    x = rng.integers(0, 400, rows) + 350 * np.searchsorted(["a", "b", "c", "d"], labels)
    return table_of(labels, {"x": x, "clock": rng.random(rows)}, clocks=("clock",))


def sides(table, split):
    labels = table.labels
    return set(labels[split.train]), set(labels[split.test])


@pytest.mark.parametrize("kind", KINDS)
def test_the_sides_are_sorted_disjoint_and_cover_every_row(kind):
    table = mixed_table()
    split = split_table(table, kind, seed=3)
    for part in (split.train, split.test):
        assert (np.diff(part) > 0).all()
    assert np.array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(len(table)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("test_size", [0.1, 0.3, 0.5, 0.8])
def test_every_class_gives_about_the_test_size(kind, test_size):
    table = mixed_table()
    split = split_table(table, kind, test_size=test_size, seed=1)
    for name, count in table.class_counts.items():
        tested = (table.labels[split.test] == name).sum()
        assert abs(tested - test_size * count) <= (1 if kind == "random" else 11)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_splits_and_others_differ(kind):
    table = mixed_table()
    first, again, other = (split_table(table, kind, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_no_group_of_equal_rows_is_torn_apart_whatever_its_labels_and_clocks():
    table = mixed_table()
    assert table.frame.groupby("x")["label"].nunique().max() > 1
    split = split_table(table, "grouped")
    values = table.frame["x"].to_numpy()
    assert not set(values[split.train]) & set(values[split.test])


def test_missing_values_and_signed_zeros_make_equal_rows():
    table = table_of(list("aaaabb"), {"x": [np.nan, np.nan, 0.0, -0.0, 1.0, 2.0], "s": [None, None, *"ppqq"]})
    split = split_table(table, "grouped")
    assert {row // 2 for row in split.train if row < 4}.isdisjoint(
        {row // 2 for row in split.test if row < 4}
    )


def test_no_run_of_consecutive_rows_is_torn_apart():
    table = mixed_table()
    split = split_table(table, "blocked", block_rows=20)
    assert not set(split.train // 20) & set(split.test // 20)


def test_large_groups_do_not_spoil_the_test_size():
    x = np.concatenate([np.zeros(500, dtype=int), np.ones(200, dtype=int), np.arange(2, 302)])
    table = table_of(["a"] * 1000, {"x": x})
    for seed in range(10):
        assert abs(len(split_table(table, "grouped", seed=seed).test) - 300) <= 10


def test_a_table_of_clocks_alone_is_one_group():
    table = table_of(list("aabb"), {"t": [1.0, 2.0, 3.0, 4.0]}, clocks=("t",))
    with pytest.raises(DataError, match="class 'a' cannot be both trained and tested"):
        split_table(table, "grouped")


@given(
    labels=st.lists(st.sampled_from("abcde"), min_size=2, max_size=80),
    test_size=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
@settings(max_examples=150, deadline=None)
def test_a_class_of_two_rows_or_more_is_on_both_sides(labels, test_size, seed):
    labels = [label for label in labels if labels.count(label) > 1]
    if not labels:
        return
    table = table_of(labels)
    split = split_table(table, test_size=test_size, seed=seed)
    assert sides(table, split) == (set(labels), set(labels))


@given(codes=st.lists(st.integers(0, 6), min_size=30, max_size=120), seed=st.integers(0, 99))
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("kind", ["grouped", "blocked"])
def test_a_class_of_many_units_is_on_both_sides_even_where_labels_conflict(kind, codes, seed):
    labels = [name for code in codes for name in ("common", f"class {code}")]
    table = table_of(labels, {"x": np.arange(len(labels)) // 2})
    blocks = pd.Series(np.arange(len(labels)) // 2).groupby(labels).nunique()
    keep = np.isin(labels, blocks.index[blocks > 1])
    table = table.take(np.flatnonzero(np.repeat(keep[1::2], 2)))
    if len(table) == 0:
        return
    split = split_table(table, kind, seed=seed, block_rows=2)
    assert sides(table, split) == (set(table.labels), set(table.labels))


@pytest.mark.parametrize("blocks", ["ac ae bc be ee ee ee", "ac aa bc bb"])
@pytest.mark.parametrize("seed", range(10))
def test_a_class_that_shares_its_blocks_with_rarer_ones_is_on_both_sides(blocks, seed):
    # "c" has no block of its own, so that "a" and "b" decide for it.
    table = table_of(list(blocks.replace(" ", "")))
    split = split_table(table, "blocked", seed=seed, block_rows=2)
    assert sides(table, split) == (set(table.labels), set(table.labels))


def test_rare_classes_choose_their_blocks_before_the_common_one():
    rare = [f"rare {number}" for number in range(40)]
    table = table_of([label for name in rare * 2 for label in (name, "common")])
    split = split_table(table, "blocked", block_rows=2)
    assert sides(table, split) == ({*rare, "common"}, {*rare, "common"})


def test_the_smallest_group_tests_where_none_fits():
    few = table_of(["a"] * 100, {"x": np.repeat([0, 1, 2], [40, 35, 25])})
    assert len(split_table(few, "grouped", test_size=0.1).test) == 25


def test_a_class_of_two_large_groups_leaves_the_test_size_of_the_others_alone():
    x = np.concatenate([np.repeat([-1, -2], 50), np.repeat([0, 1], 150), np.arange(2, 302)])
    table = table_of(["two"] * 100 + ["b"] * 600, {"x": x})
    for seed in range(10):
        tested = table.labels[split_table(table, "grouped", seed=seed).test]
        assert (tested == "two").sum() == 50
        assert abs((tested == "b").sum() - 180) <= 10


def test_rare_labels_in_large_groups_do_not_spoil_the_test_size():
    # One row of each large group is rare, so that the rare class decides where the common rows go.
    sizes = np.array([400, 10, 10, 300, 10, 200, 10, 10, 10, 40])
    labels = np.full(1200, "common")
    labels[np.cumsum(sizes) - 1] = "rare"
    table = table_of(labels, {"x": np.concatenate([np.repeat(np.arange(10), sizes), np.arange(10, 210)])})
    for seed in range(20):
        assert 0.25 <= len(split_table(table, "grouped", seed=seed).test) / 1200 <= 0.35


def test_a_class_of_one_row_is_refused_with_the_remedy():
    with pytest.raises(DataError) as caught:
        split_table(table_of(["a", "a", "b"]))
    assert str(caught.value) == (
        "class 'b' cannot be both trained and tested by a random split (rows that hold it: 1); "
        "use --rare-classes drop"
    )


@pytest.mark.parametrize(
    ("kind", "units"), [("grouped", "groups of equal rows"), ("blocked", "blocks of consecutive rows")]
)
def test_a_class_of_one_unit_is_refused_with_the_remedy_that_helps(kind, units):
    table = table_of(["a"] * 20 + ["b"] * 10, {"x": [*range(20), *[99] * 10]})
    with pytest.raises(DataError) as caught:
        split_table(table, kind)
    assert str(caught.value) == (
        f"class 'b' cannot be both trained and tested by a {kind} split ({units} that hold it: 1); "
        "take another --split"
    )
    lone = table_of(["a"] * 20 + ["b"], {"x": range(21)})
    with pytest.raises(DataError, match=r"hold it: 1\); use --rare-classes drop$"):
        split_table(lone, kind)


def test_three_classes_that_share_three_blocks_crosswise_are_refused():
    table = table_of(["a", "b", "b", "c", "c", "a"])
    with pytest.raises(DataError, match="blocks of consecutive rows that hold it: 2"):
        split_table(table, "blocked", block_rows=2)


@pytest.mark.parametrize("test_size", [0.0, 1.0, -0.2, 30.0, float("nan")])
def test_a_test_size_outside_the_open_unit_interval_is_refused(test_size):
    with pytest.raises(ConfigError, match=f"the test size must lie between 0 and 1, not {test_size}"):
        split_table(mixed_table(), test_size=test_size)


def test_an_unknown_kind_names_the_three():
    with pytest.raises(ConfigError, match=r"unknown split 'time'; choose --split random\|grouped\|blocked"):
        split_table(mixed_table(), "time")


def test_a_block_of_no_rows_is_refused():
    with pytest.raises(ConfigError, match="a block must have at least 1 row, not 0"):
        split_table(mixed_table(), "blocked", block_rows=0)


@pytest.mark.parametrize("kind", KINDS)
def test_inner_splits_put_a_lone_class_wholly_on_the_training_side(kind):
    table = table_of(["a"] * 200 + ["b"] * 100 + ["lone"], {"x": np.arange(301)})
    splits = inner_splits(table, kind, repeats=4, seed=0)
    assert len(splits) == 4
    for split in splits:
        assert sides(table, split) == ({"a", "b", "lone"}, {"a", "b"})
        assert len(split.train) + len(split.test) == len(table)


def test_a_lone_class_leaves_the_other_units_of_its_neighbour_to_the_test_side():
    table = table_of(["lone", "b", "b", "b"])
    for split in inner_splits(table, "blocked", repeats=5, seed=0, block_rows=2):
        assert sides(table, split) == ({"lone", "b"}, {"b"})


def test_inner_splits_never_test_a_class_that_does_not_train():
    table = table_of(["a", "b", "b", "c", "c", "a", "d", "d", "d", "d"])
    for split in inner_splits(table, "blocked", repeats=20, test_size=0.8, seed=0, block_rows=2):
        train, test = sides(table, split)
        assert train == {"a", "b", "c", "d"}
        assert test


def test_inner_splits_differ_from_each_other_and_repeat_with_the_seed():
    table = mixed_table()
    first, second = inner_splits(table, "random", repeats=2, seed=4, max_rows=500)
    again = inner_splits(table, "random", repeats=2, seed=4, max_rows=500)
    assert not np.array_equal(first.test, second.test)
    assert np.array_equal(second.test, again[1].test)


@pytest.mark.parametrize("max_rows", [60, 137, 300, 1200])
def test_thinning_cuts_the_largest_classes_only_and_once_for_all_repeats(max_rows):
    sizes = {"a": 1000, "b": 400, "c": 30, "d": 5}
    table = table_of(np.random.default_rng(0).permutation(np.repeat(list(sizes), list(sizes.values()))))
    splits = inner_splits(table, "random", repeats=3, seed=0, max_rows=max_rows)
    used = [np.sort(np.concatenate([split.train, split.test])) for split in splits]
    assert len(used[0]) == max_rows
    assert np.array_equal(used[0], used[1])
    assert np.array_equal(used[0], used[2])
    kept = pd.Series(table.labels[used[0]]).value_counts().to_dict()
    cap = max(kept.values())
    for name, size in sizes.items():
        assert kept[name] in ({size} if size < cap else {cap - 1, cap})


def test_thinning_keeps_every_row_of_a_table_under_the_bound():
    table = mixed_table(rows=100)
    (split,) = inner_splits(table, "random", repeats=1, seed=0, max_rows=100)
    assert len(split.train) + len(split.test) == 100


def test_thinning_below_two_rows_a_class_is_refused():
    with pytest.raises(ConfigError, match="max_rows=7 leaves less than 2 rows for each of 4 classes"):
        inner_splits(mixed_table(), "random", repeats=1, seed=0, max_rows=7)


def test_no_inner_split_at_all_is_refused():
    with pytest.raises(ConfigError, match="the number of inner splits must be at least 1, not 0"):
        inner_splits(mixed_table(), "random", repeats=0, seed=0)


def test_a_training_part_with_nothing_to_split_is_refused():
    with pytest.raises(DataError, match="no class has rows enough for a blocked split of the training part"):
        inner_splits(table_of(["a"] * 5 + ["b"] * 5), "blocked", repeats=1, seed=0)
