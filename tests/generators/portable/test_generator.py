"""Laws of the portable generator: what it gives for what it is asked."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

from rareflow.generators.portable import CODECS, PortableGenerator
from tests.generators.tables import mixed, untrained

CLASSES = ["common", "pair", "rare", "single"]
X, Y = mixed()


def generator_of(**settings):
    return untrained(X, Y, **settings)[0]


@pytest.mark.parametrize("codec", CODECS)
def test_a_seed_gives_the_same_rows_and_another_seed_others(codec):
    generator = generator_of(codec=codec, filter=True)
    rows = generator.sample("common", 50, seed=3)
    pd.testing.assert_frame_equal(rows, generator.sample("common", 50, seed=3))
    assert not rows.equals(generator.sample("common", 50, seed=4))
    assert not generator.sample("common", 50).equals(generator.sample("common", 50))


def test_a_hundred_thousand_rows_come_exactly_and_in_one_frame():
    rows = generator_of().sample("rare", 100_000, seed=0)
    assert rows.index.equals(pd.RangeIndex(100_000))
    pd.testing.assert_series_equal(rows.dtypes, X.dtypes)
    assert len(rows.drop_duplicates()) > 1_000


def test_no_rows_are_an_empty_frame_of_the_table_s_form():
    for filtered in (False, True):
        rows = generator_of(filter=filtered).sample("rare", 0, seed=0)
        assert rows.empty
        pd.testing.assert_series_equal(rows.dtypes, X.dtypes)


def test_a_filter_keeps_rows_that_its_forest_gives_to_their_class():
    loose, strict = (generator_of(mode="neighbours", filter=kept) for kept in (False, True))
    index = CLASSES.index("common")

    def share(generator):
        room = generator.layout.room(300)
        generator._fill(room, slice(0, 300), index, np.random.default_rng(0), 1.0)
        return strict.filter.is_own(room, index).mean()

    assert share(strict) > share(loose)


def test_a_filter_that_refuses_every_row_costs_none():
    generator = generator_of(filter=True)
    generator.filter.forests[0]["value"][:] = np.eye(4, dtype=np.float32)[CLASSES.index("pair")]
    assert len(generator.sample("rare", 77, seed=0)) == 77


def test_rows_are_drawn_four_times_over_before_any_will_do():
    generator, judged = generator_of(filter=True), []

    def is_own(draw, _):
        rows = sum(judged) + np.arange(len(draw))
        judged.append(len(draw))
        return rows % 3 == 2

    generator.filter.is_own = is_own
    assert len(generator.sample("rare", 60, seed=0)) == 60
    assert 3 * 60 <= sum(judged) <= 4 * 60


def test_sampling_leaves_the_global_random_states_alone():
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    generator_of(filter=True).sample("rare", 20, seed=0)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), torch_state)


@pytest.mark.parametrize("codec", CODECS)
def test_a_saved_generator_loads_as_the_same_bits_from_two_files_without_pickle(tmp_path, codec):
    generator = generator_of(codec=codec, filter=True)
    folder = generator.save(tmp_path / "deep" / "folder")
    assert sorted(path.name for path in folder.iterdir()) == ["spec.json", "weights.safetensors"]
    loaded = PortableGenerator.load(folder)
    for label in CLASSES:
        pd.testing.assert_frame_equal(loaded.sample(label, 60, seed=5), generator.sample(label, 60, seed=5))
    again = loaded.save(tmp_path / "again")
    for name in ("spec.json", "weights.safetensors"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_a_table_holds_the_counts_asked_for_in_their_order_with_the_label_in_its_place():
    generator = generator_of()
    generator.spec["label"]["position"] = 2
    wanted = pd.DataFrame({"label": ["rare", "common", "rare"], "count": [4, 2, 4]})
    table = generator.table(wanted, seed=7)
    assert list(table.columns) == [*X.columns[:2], "attack", *X.columns[2:]]
    assert table["attack"].tolist() == ["rare"] * 4 + ["common"] * 2 + ["rare"] * 4
    assert table["attack"].dtype == Y.dtype
    pd.testing.assert_series_equal(table.drop(columns="attack").dtypes, X.dtypes)
    pd.testing.assert_frame_equal(table, generator.table(wanted, seed=7))
    assert not table.iloc[:4].equals(table.iloc[6:].reset_index(drop=True))


def test_nothing_asked_for_is_an_empty_table():
    table = generator_of().table(pd.DataFrame({"label": [], "count": []}))
    assert list(table.columns) == [*X.columns, "attack"]
    assert table.empty
    assert table["attack"].dtype == Y.dtype


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([3, 5] * 60, name="attack", dtype="int8"),
        pd.Series([True, False] * 60, name="attack"),
        pd.Series(
            ["b", "a"] * 60, name="attack", dtype=pd.CategoricalDtype(["b", "a", "never"], ordered=True)
        ),
        pd.Series([1.5, 2.0] * 60, name="attack"),
        pd.Series([1, 2] * 60, name="attack", dtype="Int64"),
        pd.Series(["b", "a"] * 60, name="attack", dtype=object),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_of_every_dtype_come_back_as_they_were(labels):
    generator = untrained(X, labels)[0]
    wanted = pd.DataFrame({"label": labels.unique(), "count": [2, 3]})
    expected = pd.Series(list(wanted["label"].repeat(wanted["count"])), name="attack", dtype=labels.dtype)
    pd.testing.assert_series_equal(generator.table(wanted, seed=0)["attack"], expected)


def test_an_unknown_label_is_refused_with_the_known_ones():
    with pytest.raises(
        ValueError, match=r"^label='worm' is not a class of this generator; its classes are \['common', "
    ):
        generator_of().sample("worm", 1)
    with pytest.raises(ValueError, match=r"^label=<NA> is not a class"):
        generator_of().sample(pd.NA, 1)


@pytest.mark.parametrize("temperature", [-0.5, 1e7, float("nan"), float("inf"), None, "1", pd.NA])
def test_a_temperature_out_of_its_range_is_refused_with_its_value(temperature):
    with pytest.raises(
        ValueError, match=rf"^temperature must be a number from 0 to 1000000, not {temperature=}$"
    ):
        generator_of().sample("rare", 1, temperature=temperature)


@pytest.mark.parametrize("seed", [-1, 2.5, float("nan"), float("inf"), pd.NA, "3", [1, 2]])
def test_a_seed_that_is_none_is_refused_with_its_value(seed):
    said = re.escape(f"seed must be a whole number from 0, or None to draw afresh, not {seed=!s}")
    with pytest.raises(ValueError, match=f"^{said}$"):
        generator_of().sample("rare", 1, seed=seed)
    with pytest.raises(ValueError, match=f"^{said}$"):
        generator_of().batches(pd.DataFrame({"label": ["rare"], "count": [1]}), seed=seed)


@pytest.mark.parametrize("seed", [3, 3.0, np.int8(3), np.uint64(3)])
def test_a_whole_number_of_any_dtype_is_a_seed(seed):
    generator = generator_of()
    pd.testing.assert_frame_equal(generator.sample("rare", 9, seed=seed), generator.sample("rare", 9, seed=3))


@pytest.mark.parametrize(
    "count", [-1, 2.5, -0.5, 2**63, 1e30, float("nan"), float("inf"), None, pd.NA, "3", "three", 10**400]
)
def test_a_count_that_is_none_is_refused_with_its_class_and_value(count):
    shown = repr(count) if isinstance(count, str) else str(count)[:40]
    said = rf"^count of label='rare' must be a whole number from 0 to {2**63 - 1}, not {shown}$"
    with pytest.raises(ValueError, match=said.replace("+", r"\+")):
        generator_of().sample("rare", count)
    with pytest.raises(ValueError, match=said.replace("+", r"\+")):
        generator_of().batches(pd.DataFrame({"label": ["common", "rare"], "count": [1, count]}, dtype=object))


@pytest.mark.parametrize("count", [3, 3.0, np.int8(3), np.float32(3), np.uint64(3)])
def test_a_whole_number_of_any_dtype_is_a_count(count):
    assert len(generator_of().sample("rare", count)) == 3


def test_a_total_beyond_max_rows_is_refused_with_the_ways_out():
    wanted = pd.DataFrame({"label": ["rare", "common"], "count": [60, 41]})
    generator_of().check_total(wanted, 101)
    with pytest.raises(
        ValueError, match=r"^the counts ask for 101 rows, more than max_rows=100; ask for fewer"
    ):
        generator_of().check_total(wanted, 100)
    huge = pd.DataFrame({"label": ["rare"] * 3, "count": [2**62] * 3})
    with pytest.raises(ValueError, match="ask for 13,835,058,055,282,163,712 rows"):
        generator_of().check_total(huge, 2**63)


def test_counts_without_their_two_columns_are_refused():
    with pytest.raises(
        ValueError, match=r"^the counts need columns 'label' and 'count', not \['label', 'n'\]$"
    ):
        generator_of().table(pd.DataFrame({"label": ["rare"], "n": [1]}))


def test_batches_are_the_table_piece_by_piece_whatever_the_number_of_threads(monkeypatch):
    monkeypatch.setattr("rareflow.generators.portable.wanted._BATCH_ROWS", 7)
    generator = generator_of(filter=True)
    wanted = pd.DataFrame({"label": ["rare", "common", "rare"], "count": [20, 0, 9]})
    tables = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        frames = list(generator.batches(wanted, seed=3))
        assert [len(frame) for frame in frames] == [7, 7, 6, 0, 7, 2]
        tables.append(pd.concat(frames, ignore_index=True))
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], generator.table(wanted, seed=3))
    assert not tables[0].iloc[:7].equals(tables[0].iloc[7:14].reset_index(drop=True))


@pytest.mark.parametrize("seed", [3, None])
def test_a_part_is_plain_data_that_any_copy_of_the_generator_draws_at_any_time(monkeypatch, tmp_path, seed):
    monkeypatch.setattr("rareflow.generators.portable.wanted._BATCH_ROWS", 7)
    generator = generator_of(filter=True)
    wanted = pd.DataFrame({"label": ["rare", "common", "rare"], "count": [20, 0, 9]})
    parts = list(generator.parts(wanted, seed=seed, temperature=0.5))
    assert [(part["label"], part["count"]) for part in parts] == [
        *[("rare", 7), ("rare", 7), ("rare", 6), ("common", 0), ("rare", 7), ("rare", 2)]
    ]
    other = PortableGenerator.load(generator.save(tmp_path / "generator"))
    frames = {i: other.draw_part(json.loads(json.dumps(parts[i]))) for i in (4, 0, 5, 3, 2, 1)}
    for i, part in enumerate(parts):
        pd.testing.assert_frame_equal(frames[i], generator.draw_part(part))
    if seed is not None:
        table = pd.concat([frames[i] for i in range(6)], ignore_index=True)
        pd.testing.assert_frame_equal(table, generator.table(wanted, seed=seed, temperature=0.5))
    assert not frames[0].equals(frames[1])


def test_parts_are_refused_at_once_and_given_one_by_one():
    generator = generator_of()
    first = next(generator.parts(pd.DataFrame({"label": ["rare"], "count": [2**63 - 1]})))
    assert first["count"] == 65_536
    with pytest.raises(ValueError, match="label='worm' is not a class"):
        generator.parts(pd.DataFrame({"label": ["worm"], "count": [1]}))
    with pytest.raises(ValueError, match="count of label='rare' must be a whole number"):
        generator.draw_part(first | {"count": -1})


def test_what_cannot_be_drawn_is_refused_before_the_first_batch():
    with pytest.raises(ValueError, match="label='worm' is not a class"):
        generator_of().batches(pd.DataFrame({"label": ["rare", "worm"], "count": [1, 1]}))
