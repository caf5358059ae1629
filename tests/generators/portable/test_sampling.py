"""Laws of the ways of sampling."""

import itertools

import numpy as np
import pandas as pd
import pytest

from rareflow.generators.portable import CODECS, SAMPLING_MODES, SNAPS
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
