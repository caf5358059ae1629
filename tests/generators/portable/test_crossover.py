"""Laws of the sampling mode `crossover`."""

import numpy as np
import pandas as pd
import pytest

from rareflow.generators.portable import SNAPS, Draw, PortableGenerator
from tests.generators.tables import mixed, untrained

CLASSES = ["common", "pair", "rare", "single"]
X, Y = mixed()


def generator_of(table=X, labels=Y, **settings):
    return untrained(table, labels, mode="crossover", **settings)[0]


def sources(generator, index, count, seed):
    """The residual and the straight rows that `draw` crosses, from the same random numbers."""
    own, rng = slice(*generator.spec["classes"][index]["anchors"]), np.random.default_rng(seed)
    p, q = generator.sampling.parents(own, count, rng)
    one = generator.sampling.snap(generator.sampling.codec_vectors(index, p, q, rng, 1.0), own, p, q)
    near = generator.sampling.neighbours(p, rng)
    is_observed = generator.spec["sampling"]["snap"] == "observed"
    other = generator.sampling.straight(
        near, generator.sampling.neighbours(near, rng), rng, is_observed=is_observed
    )
    return generator.sampling.settle(one), generator.sampling.settle(other)


def same_by_group(generator, one, other):
    """Whether two draws agree in all of a group, one column a group."""
    scalars, blocks = generator.sampling.groups
    agree = np.vstack(
        [(one.scalars == other.scalars) | np.isnan(one.scalars + other.scalars), one.modes == other.modes]
    ).T
    of = np.concatenate([scalars, blocks])
    return np.column_stack([agree[:, of == group].all(axis=1) for group in sorted(set(of.tolist()))])


@pytest.mark.parametrize("snap", SNAPS)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_each_group_of_a_row_comes_from_one_of_its_two_sources_and_from_either(snap, index):
    generator = generator_of(snap=snap)
    one, other = sources(generator, index, 400, 3)
    row = generator.sampling.draw(index, 400, np.random.default_rng(3))
    from_one, from_other = same_by_group(generator, row, one), same_by_group(generator, row, other)
    assert (from_one | from_other).all()
    differ = from_one != from_other
    assert differ.any()
    assert 0.4 < from_one[differ].mean() < 0.6


def test_uncrossed_rows_come_whole_from_one_of_their_two_sources():
    generator = generator_of()
    one, other = sources(generator, 0, 400, 3)
    row = generator.sampling.draw(0, 400, np.random.default_rng(3), cross=False)
    from_one = same_by_group(generator, row, one).all(axis=1)
    assert (from_one | same_by_group(generator, row, other).all(axis=1)).all()
    assert 0.4 < from_one.mean() < 0.6


def test_attacks_of_one_class_that_differ_in_uncorrelated_columns_do_not_mix():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 120)).astype(float)
    table = pd.DataFrame({"a": a, "b": b, "both": (a + b) % 2})
    table += rng.normal(scale=0.01, size=table.shape)
    generator = generator_of(table, pd.Series(["only"] * 120, name="attack"), noise=0.0)
    assert len({entry["group"] for entry in generator.spec["columns"]}) == 3
    a, b, both = generator.sample("only", 500, seed=1).round().to_numpy().T
    assert ((a + b) % 2 == both).all()


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_coin_is_thrown_for_each_group_or_for_the_whole_row(is_whole):
    generator = generator_of()
    shapes = [(generator.layout.scalars, 999), (len(generator.layout.sizes), 999)]
    crossed, ones = (
        Draw(np.full(shapes[0], float(value)), np.full(shapes[1], value, np.int16)) for value in (0, 1)
    )
    generator.sampling.cross(crossed, ones, np.random.default_rng(0), is_whole=is_whole)
    drawn = np.vstack([crossed.scalars, crossed.modes]).T
    of = np.concatenate(generator.sampling.groups)
    first = [of.tolist().index(group) for group in of]
    assert (drawn == drawn[:, first]).all()
    whole = (drawn == drawn[:, :1]).all(axis=1)
    assert whole.all() == is_whole
    assert (np.abs(drawn.mean(axis=0) - 0.5) < 0.06).all()


def test_a_straight_row_lies_between_its_parents_and_keeps_exactly_what_they_share():
    generator = generator_of(codec="zscore")  # without spikes: numbers that parents share are scalars
    start, stop = generator.spec["classes"][0]["anchors"]
    raw, modes = generator.sampling.anchors["raw"], generator.sampling.anchors["modes"]
    p, q = np.random.default_rng(0).integers(start, stop, (2, 500))
    drawn = generator.sampling.straight(p, q, np.random.default_rng(1))
    a, b = raw[:, p], raw[:, q]
    shared = a == b
    assert shared.any()
    assert (drawn.scalars == a)[shared].all()
    both = ~np.isnan(a + b)
    low, high = np.minimum(a, b)[both], np.maximum(a, b)[both]
    assert ((low <= drawn.scalars[both]) & (drawn.scalars[both] <= high)).all()
    alone = np.isnan(a) != np.isnan(b)
    assert alone.any()
    kept = drawn.scalars[alone]
    assert ((kept == a[alone]) | (kept == b[alone]) | np.isnan(kept)).all()
    assert ((drawn.modes == modes[:, p]) | (drawn.modes == modes[:, q])).all()
    assert len(np.unique(drawn.scalars[generator.spec["columns"][2]["scalar"]])) > 100


def test_a_row_between_real_ones_alone_has_the_value_that_its_mode_says():
    generator = generator_of()
    drawn = generator.sampling.draw_straight(0, 400, np.random.default_rng(0))
    settled = generator.sampling.settle(Draw(drawn.scalars.copy(), drawn.modes))
    np.testing.assert_array_equal(settled.scalars, drawn.scalars)
    rate = next(entry["scalar"] for entry in generator.spec["columns"] if entry["name"] == "rate")
    assert (drawn.scalars[rate] == 0.0).any()


def test_whole_numbers_come_whole_before_they_are_given_their_dtype():
    generator = generator_of(snap="none")
    whole = [entry["scalar"] for entry in generator.spec["columns"] if entry["name"] in ("bytes", "seen")]
    numbers = generator.sampling.draw(0, 300, np.random.default_rng(0)).scalars[whole]
    numbers = numbers[~np.isnan(numbers)]
    assert (numbers == np.round(numbers)).all()


@pytest.mark.parametrize("filtered", [False, True])
def test_a_seed_gives_the_same_bits_before_and_after_saving(tmp_path, filtered):
    generator = generator_of(filter=filtered)
    loaded = PortableGenerator.load(generator.save(tmp_path))
    for label in CLASSES:
        rows = generator.sample(label, 60, seed=5)
        pd.testing.assert_frame_equal(rows, generator.sample(label, 60, seed=5), check_exact=True)
        pd.testing.assert_frame_equal(rows, loaded.sample(label, 60, seed=5), check_exact=True)


ENDS = np.array([-1.7976931348623157e308, 1.7976931348623157e308, 1e308, 0.0, -1e308])
TINY = np.array([5e-324, 1e-310, -3e-312, 0.0, 2e-309])
TABLES = {
    "scalars alone": X[["pressure", "wild"]],
    "modes alone": X[["port", "proto", "flag", "service"]],
    "one column": X[["pressure"]],
    "one block": X[["flag"]],
    "huge": pd.DataFrame({"a": np.resize(ENDS, 120), "b": np.linspace(-1, 1, 120) * 1.79e308}),
    "tiny": pd.DataFrame({"a": np.resize(TINY, 120), "b": np.arange(120) * 5e-324}),
    "integers": pd.DataFrame({"a": np.linspace(-(2.0**53), 2.0**53, 120).astype("int64")}),
    "mostly missing": X[["rate", "seen"]].mask(np.tile(np.arange(120)[:, None] % 9 > 0, 2)),
}
LABELS = {
    "as they are": Y,
    "one class": pd.Series(["only"] * 120, name="attack"),
    "one row each": pd.Series([f"{row:03d}" for row in range(120)], name="attack"),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_any_table_is_filtered_and_sampled_within_its_observed_range(table, labels):
    generator = generator_of(table, labels, filter=True)
    for snap in SNAPS:
        spec = generator.spec | {"sampling": generator.spec["sampling"] | {"snap": snap}}
        generator = PortableGenerator(spec, generator.tensors)
        for label in generator.classes[:4]:
            rows = generator.sample(label, 40, seed=1)
            pd.testing.assert_series_equal(rows.dtypes, table.dtypes)
            for name in table.select_dtypes("number"):
                given = rows[name].dropna()
                assert given.between(table[name].min(), table[name].max()).all()
                assert table[name].isna().any() or len(given) == 40


@pytest.mark.parametrize("snap", SNAPS)
def test_a_class_that_is_drawn_on_straight_lines_has_no_noise_and_rows_between_two_real_ones(snap):
    rng = np.random.default_rng(0)
    generator = generator_of(
        pd.DataFrame(rng.normal(size=(20, 3)), columns=list("abc")), pd.Series(["only"] * 20), snap=snap
    )
    generator.spec["classes"][0]["straight"] = True
    rows = generator.sample("only", 300, seed=1, temperature=0.0).to_numpy()
    assert (rows == generator.sample("only", 300, seed=1, temperature=9.0).to_numpy()).all()
    real = generator.tensors["anchors.raw"]
    p, q = real[:, None, None], real[None, :, None]  # every pair of real rows, beside every forged one
    way = np.linalg.norm(rows - p, axis=-1) + np.linalg.norm(rows - q, axis=-1)
    assert (way - np.linalg.norm(p - q, axis=-1)).min(axis=(0, 1)).max() < 1e-9
    assert np.isin(rows, real).all() == (snap == "observed")
