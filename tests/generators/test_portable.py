import copy
import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from rareflow.generators.networks import Decoder, activate, membership
from rareflow.generators.portable import CODECS, SAMPLING_MODES, SNAPS, Layout, PortableGenerator, tensors
from rareflow.generators.portable.columns import nearest
from rareflow.generators.portable.threads import _threads
from tests.generators.tables import mixed, untrained

CLASSES = ["common", "pair", "rare", "single"]
COUNTS = {"common": 70, "pair": 40, "rare": 30, "single": 5}
X, Y = mixed()


def generator_of(**settings):
    return untrained(X, Y, **settings)[0]


def rows_of(label):
    return X[label == Y].reset_index(drop=True)


@pytest.mark.parametrize(
    ("mode", "snap", "filtered"), list(itertools.product(SAMPLING_MODES, SNAPS, [False, True]))
)
def test_every_way_of_sampling_gives_exact_counts_in_the_table_s_own_form_and_range(mode, snap, filtered):
    generator = generator_of(mode=mode, snap=snap, filter=filtered)
    for label, count in COUNTS.items():
        rows = generator.sample(label, count, seed=1)
        pd.testing.assert_series_equal(rows.dtypes, X.dtypes)
        assert rows.index.equals(pd.RangeIndex(count))
        assert not rows.drop(columns=["rate", "seen", "service"]).isna().to_numpy().any()
        for name in ("bytes", "rate", "pressure", "wild", "seen"):
            assert rows[name].dropna().between(X[name].min(), X[name].max()).all()
        for name in ("proto", "flag", "service", "port", "version"):
            assert set(rows[name].dropna()) <= set(X[name].dropna())


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("mode", SAMPLING_MODES)
def test_beyond_the_range_numbers_are_mirrored_at_its_end_and_those_of_the_prior_stand_there(mode, codec):
    generator = generator_of(mode=mode, codec=codec)
    low, high = (generator.tensors[f"scalar.scaled_{end}"][:, None] for end in ("low", "high"))
    width = high - low
    away = np.linspace(0, 0.987, 9) * width
    for beyond, within, end in ((low - away, low + away, low), (high + away, high - away, high)):
        wanted = within if mode != "prior" else np.broadcast_to(end, within.shape)
        np.testing.assert_allclose(
            generator.sampling.scalars.values(beyond), generator.sampling.scalars.values(wanted), rtol=1e-6
        )
    far = generator.sampling.scalars.values(np.hstack([low - 9 * width, high + 9 * width]))
    np.testing.assert_allclose(far, generator.sampling.scalars.values(np.hstack([low, high])), rtol=1e-6)


@pytest.mark.parametrize("mode", SAMPLING_MODES)
@pytest.mark.parametrize("filtered", [False, True])
def test_snapped_to_observed_every_value_is_one_of_its_class_missing_included(mode, filtered):
    generator = generator_of(mode=mode, snap="observed", filter=filtered)
    for label, count in COUNTS.items():
        rows, own = generator.sample(label, count, seed=1), rows_of(label)
        for name in X:
            assert set(rows[name].dropna()) <= set(own[name].dropna())
            assert own[name].isna().any() or not rows[name].isna().any()


@pytest.mark.parametrize("mode", SAMPLING_MODES)
@pytest.mark.parametrize("codec", ["asinh", "zscore"])  # zscore knows no spikes: only the snap keeps numbers
def test_snapped_to_shared_what_never_varies_in_a_class_never_varies_in_its_forged_rows(mode, codec):
    generator = generator_of(mode=mode, snap="shared", codec=codec)
    for label, count in COUNTS.items():
        rows, own = generator.sample(label, count, seed=1), rows_of(label)
        constant = [name for name in X if len(own[name].drop_duplicates()) == 1]
        assert constant
        pd.testing.assert_frame_equal(rows[constant], own[constant].iloc[[0] * count].reset_index(drop=True))


@pytest.mark.parametrize("mode", SAMPLING_MODES)
def test_a_class_of_one_row_repeats_that_row_exactly(mode):
    rows = generator_of(mode=mode, snap="none", filter=True).sample("single", 5)
    pd.testing.assert_frame_equal(rows, rows_of("single").iloc[[0] * 5].reset_index(drop=True))


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


def test_real_rows_take_equal_turns_as_parents():
    generator = generator_of()
    own = slice(*generator.spec["classes"][CLASSES.index("rare")]["anchors"])
    p, q = generator.sampling.parents(own, 25, np.random.default_rng(0))
    turns = np.bincount(p - own.start, minlength=11)
    assert sorted(turns.tolist()) == [2] * 8 + [3] * 3
    assert (p[:11] != np.arange(own.start, own.stop)).any()
    assert ((q >= own.start) & (q < own.stop) & (q != p)).all()


def test_interpolated_rows_lie_between_their_two_parents():
    generator = generator_of(mode="interpolation", snap="none")
    rows, own = generator.sample("pair", 200, seed=0), rows_of("pair")
    assert own["pressure"].nunique() == 2
    for name in ("pressure", "wild", "bytes"):
        assert rows[name].between(own[name].min(), own[name].max()).all()
    assert rows["pressure"].nunique() > 100
    for name in ("port", "proto", "flag"):
        assert set(rows[name]) <= set(own[name])


def test_the_posterior_without_noise_gives_what_the_decoder_makes_of_real_rows_and_no_more():
    generator = generator_of(mode="posterior", snap="none")
    still, noisy = (
        generator.sample("rare", 110, seed=0, temperature=t)["pressure"].round(4) for t in (0.0, 1.0)
    )
    assert still.nunique() <= 11
    assert noisy.nunique() > 50


def test_residual_sampling_at_no_temperature_is_interpolation_plus_the_decoder_s_bend():
    line = generator_of(mode="interpolation", snap="none")
    bent, residual = (generator_of(mode=mode, snap="none") for mode in ("neighbours", "residual"))
    for generator in (line, bent, residual):
        generator.tensors["anchors.mu"] *= 50  # far apart, so that an untrained decoder bends between them
    index, own = 2, slice(*line.spec["classes"][2]["anchors"])
    p, q = line.sampling.parents(own, 9, np.random.default_rng(0))

    def vectors(generator):
        return generator.sampling.codec_vectors(index, p, q, np.random.default_rng(1), 0.0)

    ends = [
        residual.sampling.decoder.decode(residual.tensors["anchors.mu"][rows].T, index) for rows in (p, q)
    ]
    t = np.random.default_rng(1).random(9, dtype=np.float32)
    expected = vectors(line) + vectors(bent) - ((1 - t) * ends[0] + t * ends[1])
    np.testing.assert_allclose(vectors(residual), expected, atol=1e-5)
    assert np.abs(vectors(residual) - vectors(line)).max() > 0.01


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


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("anchors.neighbours", lambda t: t + 200, "holds a number outside 0 to 119"),
        ("anchors.modes", lambda t: t - 1, "holds a number outside 0 to "),
        ("anchors.modes", lambda t: t + 1, "holds a number outside 0 to "),
        ("forest.classes.children", lambda t: t[::-1], None),
        ("forest.classes.children", lambda t: t + 1, "holds a number outside 0 to "),
        ("forest.classes.roots", lambda t: t + 90_000, "holds a number outside 0 to "),
        ("forest.classes.feature", lambda t: t + 40, "holds a number outside 0 to "),
        ("forest.classes.value", lambda t: t[1:], "has the shape (899, 4), not (900, None)"),
        ("forest.classes.groups", lambda t: t + 1, "holds a number outside 0 to 3"),
        ("forest.numbers.groups", lambda t: t + 2, "holds a number outside 0 to 1"),
        ("forest.numbers.children", lambda t: t + 1, "holds a number outside 0 to "),
        ("forest.classes.head_start", lambda t: t[:1], "has the shape (1,), not (4,)"),
        ("forest.classes.threshold", lambda t: t[1:], "has the shape (899,), not (900,)"),
        ("anchors.mu", lambda t: t[:, :1], "has the shape (120, 1), not (120, 3)"),
        ("decoder.net.2.weight", lambda t: t[:, :2], "has the shape (8, 2), not (8, 8)"),
    ],
)
def test_tensors_that_point_beyond_each_other_are_refused_by_name(name, change, found):
    generator = generator_of(filter=True)
    tensors = generator.tensors | {name: change(generator.tensors[name])}
    if found is None:  # within bounds, so that it samples: whatever rows, but it ends
        assert len(PortableGenerator(generator.spec, tensors).sample("rare", 9, seed=0)) == 9
        return
    expected = re.sub(
        r"900|899", lambda n: str(len(generator.tensors["forest.classes.feature"]) - (n[0] == "899")), found
    )
    with pytest.raises(ValueError, match=f"^tensor '{name}' {re.escape(expected)}.*tampered with"):
        PortableGenerator(generator.spec, tensors)


def test_a_class_with_rows_that_are_not_there_is_refused():
    generator = generator_of()
    spec = copy.deepcopy(generator.spec)
    spec["classes"][0]["anchors"] = [0, 999]
    with pytest.raises(ValueError, match=r"^class 'common' has the rows 0 to 999 of 120; .*tampered"):
        PortableGenerator(spec, generator.tensors)


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


def test_the_nearest_observed_number_is_found_and_nan_is_none():
    observed = np.array([-1.7e308, 0.0, 10.0, 1.7e308, np.nan])
    values = np.array([-np.inf, -1e300, 4.9, 5.1, 1e308, np.inf])
    assert nearest(observed, values).tolist() == [-1.7e308, 0.0, 0.0, 10.0, 1.7e308, 1.7e308]
    assert nearest(np.array([3.0]), values[:3]).tolist() == [3.0] * 3


def test_logits_of_any_size_become_probabilities_that_sum_to_one():
    layout = Layout(2, (2, 3))
    raw = np.random.default_rng(0).normal(scale=100, size=(layout.width, 50)).astype(np.float32)
    raw[2:, :3] = [[1e30, -1e30, 0], [0, -1e30, 0], [1e30, 5, 0], [1e30, 5, 0], [-1e30, 5, 0]]
    scalars = raw[:2].copy()
    x = layout.probabilities(raw)
    assert (x[:2] == scalars).all()
    assert ((x[2:] >= 0) & (x[2:] <= 1)).all()
    for block in (x[2:4], x[4:]):
        np.testing.assert_allclose(block.sum(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(x[2:4, :3], [[1, 0.5, 0.5], [0, 0.5, 0.5]], atol=1e-6)


@pytest.mark.parametrize("count", [1, 7, 8, 15, 16, 17, 41])
def test_the_decoder_without_torch_says_block_by_block_what_torch_s_says(monkeypatch, count):
    monkeypatch.setattr("rareflow.generators.portable.decoder._BLOCK_ROWS", 8)
    generator = generator_of()
    decoder = Decoder(3, 4, 8, generator.layout.width)
    weights = {
        key: torch.from_numpy(value) for key, value in tensors.part(generator.tensors, "decoder.").items()
    }
    decoder.load_state_dict(weights)
    z = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    for index in range(4):
        c = torch.nn.functional.one_hot(torch.full((count,), index), 4).float()
        with torch.no_grad():
            raw = decoder(z, c)
            expected = activate(raw, membership(generator.layout, like=raw))
        np.testing.assert_allclose(
            generator.sampling.decoder.decode(z.T.numpy(), index).T, expected, atol=1e-6
        )


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


def test_blas_has_its_threads_back_when_the_last_of_several_batches_is_drawn_or_left():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    wanted = pd.DataFrame({"label": ["rare"], "count": [2 * 65_536]})
    with threadpool_limits(3, "blas"):
        before = threads()
        first, second = (generator_of().batches(wanted, seed=0) for _ in range(2))
        next(first)
        next(second)
        assert set(threads()) == {1}
        first.close()
        assert set(threads()) == {1}
        list(second)
        assert threads() == before


def test_parts_are_refused_at_once_and_given_one_by_one():
    generator = generator_of()
    first = next(generator.parts(pd.DataFrame({"label": ["rare"], "count": [2**63 - 1]})))
    assert first["count"] == 65_536
    with pytest.raises(ValueError, match="label='worm' is not a class"):
        generator.parts(pd.DataFrame({"label": ["worm"], "count": [1]}))
    with pytest.raises(ValueError, match="count of label='rare' must be a whole number"):
        generator.draw_part(first | {"count": -1})


@pytest.mark.parametrize(
    ("given", "cores", "threads"), [("3,2", 9, 3), ("", 2, 2), ("no", None, 1), ("0", 64, 1)]
)
def test_threads_are_as_many_as_openmp_is_given_or_a_core_each(monkeypatch, given, cores, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert _threads() == threads


def test_what_cannot_be_drawn_is_refused_before_the_first_batch():
    with pytest.raises(ValueError, match="label='worm' is not a class"):
        generator_of().batches(pd.DataFrame({"label": ["rare", "worm"], "count": [1, 1]}))
