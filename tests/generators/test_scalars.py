from decimal import Decimal

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rareflow.generators import scalars
from rareflow.generators.portable import CODECS
from rareflow.generators.scalars import fit_scalar, scale_numbers

LAW = settings(max_examples=60, deadline=None, derandomize=True)


def columns(low=-1e300, high=1e300, **how):
    return hnp.arrays(float, st.integers(1, 700), elements=st.floats(low, high, **how))


def fitted(numbers, kind):
    return fit_scalar(numbers, np.sort(numbers), kind)


@given(bounds=columns(), extra=columns())
@LAW
def test_a_walk_down_the_tree_of_quantiles_ends_where_a_search_ends(bounds, extra):
    bounds = np.sort(np.resize(bounds, 511))
    numbers = np.concatenate([bounds, extra, [-np.inf, np.inf, 0.0, -0.0]])
    found = scalars._cell(numbers, bounds)
    np.testing.assert_array_equal(found, np.searchsorted(bounds, numbers, side="right"))


@given(numbers=columns())
@LAW
def test_quantiles_are_numpy_s_bit_for_bit(numbers):
    references = fitted(numbers, "quantile")["references"]
    np.testing.assert_array_equal(references, np.quantile(numbers, np.linspace(0, 1, 513)), strict=True)


@pytest.mark.parametrize("kind", CODECS)
@given(numbers=columns())
@LAW
def test_range_and_median_are_the_column_s(kind, numbers):
    one = fitted(numbers, kind)
    assert (one["low"], one["high"]) == (numbers.min(), numbers.max())
    assert (one["decimals"] == 0) == all(number.is_integer() for number in numbers.tolist())
    assert one["centre"] == np.quantile(numbers, 0.5, method="lower")


@given(
    counts=st.lists(st.integers(-(10**9), 10**9), min_size=3, max_size=200),
    decimals=st.integers(0, 6),
    dtype=st.sampled_from(["float64", "float32"]),
)
@LAW
def test_the_decimals_are_those_that_the_values_are_written_with(counts, decimals, dtype):
    counts = np.array(counts) % 10**6 if dtype == "float32" else np.array(counts)
    text = [f"{Decimal(int(count)).scaleb(-decimals):f}" for count in counts]
    needed = (
        max(len(value.rstrip("0").partition(".")[2]) for value in text if "." in value) if decimals else 0
    )
    numbers = np.array(text, dtype=dtype).astype(float)
    assert fitted(numbers, "asinh")["decimals"] == needed
    twice_rounded = np.nextafter(numbers, np.inf) if decimals and dtype == "float64" else numbers
    assert fitted(twice_rounded, "asinh")["decimals"] == needed


@pytest.mark.parametrize(
    ("numbers", "decimals"),
    [
        ([0.1, 0.25, 1e300], 2),
        ([1.0, 2.0, 1e300], 0),
        ([1.0, -2.0, -1.7e308], 0),
        ([1e16, 1e300], 0),
        ([0.25, 3.0, 1.7e308], 2),
        ([0.1, 0.2, 1e-9], -1),
        ([1 / 3, 2 / 3], -1),
        ([1e-300, 0.0], -1),
        ([0.1234567, 0.5], -1),
    ],
)
def test_values_that_no_six_decimals_write_have_none(numbers, decimals):
    assert fitted(np.array(numbers), "asinh")["decimals"] == decimals


@given(numbers=columns(-1e6, 1e6))
@example(numbers=np.array([6.861e-297, 6862.0, 0.0]))
@LAW
def test_asinh_is_one_typical_distance_wide(numbers):
    one = fitted(numbers, "asinh")
    away = np.abs(numbers - one["centre"])
    if away.any():
        least = max(away.max() / 1e300, np.finfo(float).tiny)  # below it, a distance divided by it overflows
        assert one["scale"] == max(np.quantile(away[away > 0], 0.5, method="lower"), least)


@pytest.mark.parametrize("kind", CODECS)
@given(numbers=columns(-1e6, 1e6, width=32).filter(lambda numbers: np.ptp(numbers) > 1e-3))
@LAW
def test_scaled_values_have_mean_0_and_deviation_1_and_end_where_the_range_ends(kind, numbers):
    one = fitted(numbers, kind)
    scaled = scale_numbers(numbers, one, kind)
    assert abs(scaled.mean()) < 1e-6
    assert scaled.std() == pytest.approx(1.0, abs=1e-6)
    assert (scaled.min(), scaled.max()) == pytest.approx((one["scaled_low"], one["scaled_high"]))


@pytest.mark.parametrize("kind", CODECS)
@given(numbers=columns())
@LAW
def test_scaling_is_finite_and_leaves_the_numbers_themselves_alone(kind, numbers):
    before = numbers.copy()
    assert np.isfinite(scale_numbers(numbers, fitted(numbers, kind), kind)).all()
    np.testing.assert_array_equal(numbers, before)


def test_a_rank_is_straight_between_two_quantiles_and_a_jump_at_many_equal_ones():
    numbers = np.concatenate([np.linspace(0, 1, 257), np.ones(300), [2.0]])
    references = np.quantile(numbers, np.linspace(0, 1, 513))
    rank = scalars._rank(np.array([0.0, references[7:9].mean(), np.nextafter(1.0, 0), 1.0]), references)
    first, last = np.searchsorted(references, 1.0), np.searchsorted(references, 1.0, side="right") - 1
    np.testing.assert_allclose(rank * 512, [0.0, 7.5, first, last])
