import datetime
from decimal import Decimal

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rareflow.errors import DataError
from rareflow.generators.codec import Codec
from rareflow.generators.portable import CODECS
from tests.generators.tables import mixed, untrained

# A table of constants has no codec space: the estimator refuses it, yet the codec's laws hold for it.
pytestmark = pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")

LAW = settings(max_examples=40, deadline=None, derandomize=True)
EXACT = 2**53


def there_and_back(X, kind="asinh"):
    """Encode rows and let the generator write them again."""
    y = pd.Series(np.zeros(len(X), dtype=int), name="label")
    generator, codec, encoded = untrained(X, y, codec=kind, snap="none")
    x = codec.layout.one_hot(encoded.scaled, encoded.modes)
    back = generator._frame(
        generator.sampling.settle(generator.sampling.snap(x.T.copy(), slice(0, len(X)), None, None))
    )
    return back, codec, encoded


def column(values, dtype=None):
    return pd.DataFrame({"v": pd.Series(values, dtype=dtype)})


def tolerance(numbers, codec):
    """How far a scalar may come back from where it was, given that codec vectors are float32."""
    one = {name: value[0] for name, value in codec.scale.items()}
    if codec.kind == "quantile":  # within the cell of the grid of quantiles, or a hair into the next
        first, last = (np.searchsorted(one["references"], numbers, side) for side in ("left", "right"))
        above = one["references"][np.minimum(last, len(one["references"]) - 1)]
        return 1e-300 + 1e-4 * (above - one["references"][np.maximum(first - 1, 0)])
    if codec.kind == "zscore":
        return 1e-6 * (one["spread"] + np.abs(numbers - one["shift"]))
    depth = one["spread"] * max(abs(one["scaled_low"]), abs(one["scaled_high"]))
    return 1e-7 * (1 + depth) * (one["scale"] + np.abs(numbers - one["centre"]))


def assert_numbers_return(before, kind):
    back, codec, encoded = there_and_back(before, kind)
    assert back["v"].dtype == before["v"].dtype
    assert back["v"].isna().tolist() == before["v"].isna().tolist()
    here = before["v"].notna().to_numpy()
    was, now = (frame["v"].to_numpy(dtype=float, na_value=np.nan)[here] for frame in (before, back))
    assert (now >= was.min()).all()
    assert (now <= was.max()).all()
    entry = codec.columns[0]
    if entry["scalar"] is None:
        assert (now == was).all()
        return
    decimals = int(codec.scale["decimals"][0])
    if decimals == 0:
        assert (now == np.round(now)).all()
    unit = 10.0**-decimals if decimals >= 0 else 0.0
    single = before["v"].dtype.name.lower() == "float32"
    free = tolerance(was, codec) + 1e-7 * np.abs(was) * single
    if entry["block"] is not None:
        spike = encoded.modes[here, entry["block"]] < len(entry["modes"])
        assert (now[spike] == was[spike]).all()
        free[spike] = 0.0
    exact = (decimals == 0) & (free < 0.4)
    assert (now[exact] == was[exact]).all()
    assert (np.abs(now - was)[~exact] <= (free + 0.5 * unit)[~exact]).all()


def numbers_of(elements, missing):
    """Columns of repeated and of single values, so that constants, discrete numbers and spikes occur."""
    pool = st.lists(elements, min_size=1, max_size=4)
    parts = st.tuples(
        pool,
        st.integers(1, 40),
        st.lists(elements, max_size=30),
        st.booleans() if missing else st.just(False),
    )
    return parts.map(lambda p: p[0] * p[1] + p[2] + [None] * p[3] * 3)


@pytest.mark.parametrize("kind", CODECS)
@given(values=numbers_of(st.floats(-1e300, 1e300), missing=True))
@LAW
def test_floats_return_to_where_they_were_on_their_column_s_scale(kind, values):
    assert_numbers_return(column(values, "float64"), kind)


@pytest.mark.parametrize("kind", CODECS)
@given(
    values=numbers_of(st.floats(-1e3, 1e3, width=32), missing=True),
    dtype=st.sampled_from(["float32", "Float32", "Float64"]),
)
@LAW
def test_narrow_and_nullable_floats_return_too(kind, values, dtype):
    assert_numbers_return(column(values, dtype), kind)


@pytest.mark.parametrize("kind", CODECS)
@given(values=numbers_of(st.integers(-EXACT, EXACT), missing=False))
@LAW
def test_integers_return_whole_and_exact_where_the_scale_allows(kind, values):
    assert_numbers_return(column(values, "int64"), kind)


@pytest.mark.parametrize("kind", CODECS)
@given(
    counts=numbers_of(st.integers(-(10**6), 10**6), missing=True),
    decimals=st.integers(1, 6),
    dtype=st.sampled_from(["float64", "float32", "Float64", "float64[pyarrow]"]),
)
@LAW
def test_numbers_of_some_decimals_return_with_no_more(kind, counts, decimals, dtype):
    before = column(
        [None if count is None else round(count / 10**decimals, decimals) for count in counts], dtype
    )
    back, _, _ = there_and_back(before, kind)
    now = back["v"].dropna().to_numpy(dtype=float)
    nearest = np.round(now, decimals)
    if "32" in dtype:
        nearest = nearest.astype(np.float32)
    assert (now == nearest).all()
    assert not np.signbit(now[now == 0]).any()


@pytest.mark.parametrize("kind", CODECS)
@given(data=st.data(), dtype=st.sampled_from(["int8", "uint8", "int16", "uint16", "Int16", "UInt8"]))
@LAW
def test_small_integers_return_exact(kind, data, dtype):
    bounds = np.iinfo(dtype.lower())
    values = data.draw(numbers_of(st.integers(int(bounds.min), int(bounds.max)), missing=dtype[0] in "IU"))
    before = column(values, dtype)
    back, _, _ = there_and_back(before, kind)
    pd.testing.assert_frame_equal(back, before)


@pytest.mark.parametrize("kind", CODECS)
@given(
    values=st.lists(st.sampled_from(["a", "b", "ü", "", "1", None]), min_size=1, max_size=30).filter(any),
    dtype=st.sampled_from(["str", "string", "object", "category"]),
)
@LAW
def test_text_and_categories_return_exact_and_missing_stays_missing(kind, values, dtype):
    if not any(value is not None for value in values):
        values = [*values, "a"]
    before = column(values, dtype)
    back, _, _ = there_and_back(before, kind)
    assert back["v"].dtype == before["v"].dtype
    assert back["v"].isna().tolist() == before["v"].isna().tolist()
    assert back["v"].dropna().tolist() == before["v"].dropna().tolist()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, False, True], "bool"),
        ([True, None, False, True], "boolean"),
        (["b", "a", None], pd.CategoricalDtype(["c", "b", "a"], ordered=True)),
        (["b", "b"], pd.CategoricalDtype(["c", "b", "a"])),
        ([3, 1, 3], pd.CategoricalDtype(pd.Index([1, 2, 3], dtype="int8"))),
        ([0.5, 1.5, None], pd.CategoricalDtype([1.5, 0.5])),
        ([True, False], pd.CategoricalDtype([True, False])),
        (["a", 2, 2.5, "2", None], "object"),
        (["x", "y"], pd.CategoricalDtype(pd.Index(["x", "y", "z"], dtype=object))),
        ([2**63 - 1] * 2, "int64"),
        ([2**64 - 1] * 2, "uint64"),
        ([-(2**63)] * 2, "Int64"),
        ([1.5, None, 1.5], "Float64"),
        ([7, None], "int64[pyarrow]"),
        (["a", None, "b"], "string[pyarrow]"),
        (["a", None, "b"], "large_string[pyarrow]"),
        (["a", "b"], pd.CategoricalDtype(pd.Index(["a", "b"], dtype="large_string[pyarrow]"))),
        ([0.25, None, 3.5], "float[pyarrow]"),
        ([0.25, None, 3.5], "halffloat[pyarrow]"),
        ([0.25], "float32"),
        ([5e-324], "float64"),
        ([1.7e308, 1.7e308], "float64"),
        ([None, 3.25], "float64"),
    ],
)
@pytest.mark.parametrize("kind", CODECS)
def test_values_of_every_dtype_return_exact(kind, values, dtype):
    before = column(values, dtype)
    back, _, _ = there_and_back(before, kind)
    pd.testing.assert_frame_equal(back, before, check_exact=True)


@pytest.mark.parametrize("kind", CODECS)
def test_a_float_column_of_two_values_is_not_rounded(kind):
    before = column([0.6, 5.0, 0.6])
    pd.testing.assert_frame_equal(there_and_back(before, kind)[0], before, rtol=1e-6)


@pytest.mark.parametrize("kind", CODECS)
@given(rows=st.integers(1, 25), seed=st.integers(0, 5))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_whole_rows_of_a_mixed_table_return_at_any_row_count(kind, rows, seed):
    X, _ = mixed(40, seed)
    X = X.iloc[:rows].loc[:, lambda frame: frame.notna().any()]
    back, codec, _ = there_and_back(X, kind)
    pd.testing.assert_series_equal(back.dtypes, X.dtypes)
    pd.testing.assert_frame_equal(back.isna(), X.isna())
    exact = [entry["name"] for entry in codec.columns if entry["scalar"] is None]
    pd.testing.assert_frame_equal(back[exact], X[exact])


@pytest.mark.parametrize("kind", CODECS)
@pytest.mark.parametrize(
    "values",
    [
        [-1.79e308, 1.79e308, 0.0, 1.0],
        [5e-324, 1e-310, 3e-312, 0.0, 2e-309],
        [1e308, 1.7e308],
        [1e-310, 2e-310, 3e-310, 4e-310, 0.0, 1e300],
    ],
)
def test_the_ends_of_the_float_range_stay_finite_and_within_the_observed_range(kind, values):
    back, _, encoded = there_and_back(column(values * 3), kind)
    assert np.isfinite(encoded.scaled).all()
    assert np.isfinite(back["v"]).all()
    assert back["v"].between(min(values), max(values)).all()


@pytest.mark.parametrize("kind", CODECS)
@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", "int64[pyarrow]"])
def test_different_integers_that_floats_cannot_tell_apart_are_refused_and_may_be_categories(kind, dtype):
    values = [EXACT + 1, EXACT + 3] * 20
    said = rf"^column 'v' holds whole numbers beyond 2\*\*53 \({EXACT + 1} to {EXACT + 3}\), .* categorical"
    with pytest.raises(DataError, match=said):
        there_and_back(column(values, dtype), kind)
    back, _, _ = there_and_back(column(values, dtype).astype("category"), kind)
    assert back["v"].tolist() == values
    if dtype != "uint64":
        with pytest.raises(DataError, match=rf"\({-EXACT - 1} to 0\)"):
            there_and_back(column([0, -EXACT - 1, 0], dtype), kind)


def test_a_value_to_1e38_leaves_ordinary_values_apart_but_not_under_the_paper_s_z_score():
    rng = np.random.default_rng(0)
    frame = column([*rng.normal(10, 1, 500), 2.3e38, -1e38])
    for kind, apart in (("asinh", True), ("quantile", True), ("zscore", False)):
        scaled = Codec(kind).fit(frame, np.ones(502)).encode(frame).scaled[:500, 0]
        assert (np.ptp(scaled) > 0.05) == apart


def test_a_constant_of_a_class_of_ten_rows_is_a_spike_because_classes_weigh_the_same():
    rng = np.random.default_rng(0)
    frame = column([*rng.normal(size=10_000), *[0.125] * 10])
    balanced = np.repeat([1 / 10_000, 1 / 10], [10_000, 10])
    assert Codec().fit(frame, balanced).columns[0]["modes"] == [0.125]
    assert Codec().fit(frame, np.ones(10_010)).columns[0]["modes"] == []


def test_a_value_that_occurs_once_is_no_spike_however_much_it_weighs():
    frame = column([0.5, *range(1, 100)], "float64")
    assert Codec().fit(frame, np.array([100.0, *np.ones(99)])).columns[0]["modes"] == []


@pytest.mark.parametrize("pool", [5, 20, 200])
@given(seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_spikes_are_the_sixteen_heaviest_values_of_three_percent_that_are_repeated(pool, seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.integers(0, pool, 150) / 8, rng.normal(size=50)])
    weight = rng.permutation(np.repeat([0.1, 1.0, 30.0], [140, 50, 10]))
    share = pd.Series(weight).groupby(values).sum() / weight.sum()
    heavy = share[share >= 0.03].sort_values(ascending=False, kind="stable").index[:16]
    spikes = sorted(value for value in heavy if (values == value).sum() > 1)
    assert Codec().fit(column(values), weight).columns[0]["modes"] == spikes


def test_the_z_score_is_the_paper_s_and_knows_no_spikes():
    values = np.array([0.0] * 50 + [1.0, 2.0, 5.0])
    codec = Codec("zscore").fit(column(values), np.ones(53))
    scaled = codec.encode(column(values)).scaled[:, 0]
    np.testing.assert_allclose(scaled, (values - values.mean()) / values.std(), rtol=1e-6)
    assert codec.columns[0]["block"] is None


@pytest.mark.parametrize("kind", CODECS)
@given(values=hnp.arrays(float, st.integers(20, 60), elements=st.floats(-1e6, 1e6), unique=True))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_scaling_keeps_the_order_of_values(kind, values):
    scaled = Codec(kind).fit(column(values), np.ones(len(values))).encode(column(values)).scaled[:, 0]
    assert (np.diff(scaled[np.argsort(values)]) >= 0).all()


def test_blocks_stand_side_by_side_by_size_and_hold_one_hot_rows():
    X, _ = mixed()
    codec = Codec().fit(X, np.ones(len(X)))
    encoded = codec.encode(X)
    assert list(codec.layout.sizes) == sorted(codec.layout.sizes)
    x = codec.layout.one_hot(encoded.scaled, encoded.modes)
    assert x.shape == (len(X), codec.layout.width)
    assert (x[:, codec.layout.scalars :].sum(axis=1) == len(codec.layout.sizes)).all()
    assert (codec.layout.modes(x.T) == encoded.modes.T).all()


@pytest.mark.parametrize("values", [["a", "b"], [1.0] * 10 + [2.0] * 10])
def test_a_value_that_training_did_not_hold_is_refused_by_its_column_s_name(values):
    codec = Codec().fit(column(values), np.ones(len(values)))
    with pytest.raises(DataError, match=r"^column 'v' holds (9.5|'9.5'), which the training rows do not$"):
        codec.encode(column([values[0], type(values[0])("9.5")]))


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_a_missing_category_that_training_did_not_hold_is_refused(dtype):
    codec = Codec().fit(column(["a", "b"], dtype), np.ones(2))
    with pytest.raises(DataError, match=r"^column 'v' holds nan, which the training rows do not$"):
        codec.encode(column(["b", np.nan], dtype))


@pytest.mark.parametrize("kind", CODECS)
def test_a_row_has_the_same_code_whatever_rows_stand_beside_it(kind):
    X, _ = mixed()
    codec = Codec(kind).fit(X, np.ones(len(X)))
    whole, alone = codec.encode(X), codec.encode(X.iloc[7:8])
    for name in ("scaled", "modes", "raw"):
        np.testing.assert_array_equal(getattr(whole, name)[7:8], getattr(alone, name))


def test_too_many_categories_are_refused_with_the_remedies():
    frame = column([f"host-{i}" for i in range(1_001)])
    with pytest.raises(DataError) as refusal:
        Codec().fit(frame, np.ones(1_001))
    assert str(refusal.value) == (
        "column 'v' has 1001 categories, more than 1000; "
        "leave it out, merge its rare categories, or give its numbers a numeric dtype"
    )


@pytest.mark.parametrize("value", [datetime.date(2020, 1, 1), b"x", (1, 2)])
def test_what_is_neither_number_nor_text_is_refused_with_its_type(value):
    with pytest.raises(DataError) as refusal:
        Codec().fit(column([value, value]), np.ones(2))
    assert str(refusal.value) == (
        f"column 'v' holds {value!r}, a {type(value).__name__}; turn it into numbers, text or booleans"
    )


def test_bytes_that_were_read_in_another_encoding_are_refused_by_their_column():
    text = b"caf\xe9".decode("utf-8", "surrogateescape")
    with pytest.raises(DataError, match=r"^column 'v' holds 'caf\\udce9', which is no Unicode text: bytes "):
        Codec().fit(pd.DataFrame({"v": pd.Series(["a", text], dtype=object)}), np.ones(2))


STRANGE = {
    "decimal128(9, 2)[pyarrow]": pd.Series(
        [Decimal("0.10"), Decimal("0.20")], dtype=pd.ArrowDtype(pa.decimal128(9, 2))
    ),
    "dictionary<values=string, indices=int32, ordered=0>[pyarrow]": pd.Series(
        pd.arrays.ArrowExtensionArray(pa.array(["a", "b"]).dictionary_encode())
    ),
    "null[pyarrow]": pd.Series(pd.arrays.ArrowExtensionArray(pa.nulls(2))),
    "list<item: int64>[pyarrow]": pd.Series([[1], [2]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    "Sparse[float64, 0]": pd.Series([0.0, 1.0], dtype=pd.SparseDtype(float, 0)),
    "datetime64[ns]": pd.Series([pd.NaT, pd.NaT], dtype="datetime64[ns]"),
    "datetime64[s]": pd.Series(["2020-01-01", "2020-01-02"], dtype="datetime64[s]"),
    "timedelta64[ns]": pd.Series([pd.NaT, pd.NaT], dtype="timedelta64[ns]"),
    "complex128": pd.Series([1j, 2j]),
}


@pytest.mark.parametrize("dtype", STRANGE)
def test_a_dtype_that_has_no_way_back_is_refused_by_its_column_before_any_training(dtype):
    with pytest.raises(DataError) as refusal:
        Codec().fit(pd.DataFrame({"v": STRANGE[dtype]}), np.ones(2))
    assert str(refusal.value) == (
        f"column 'v' has the dtype {dtype}, which no generator gives back; "
        "turn it into numbers, text or booleans, or leave it out"
    )


@pytest.mark.parametrize(("value", "kind"), [([1, 2], "list"), ({"a": 1}, "dict"), (np.zeros(2), "ndarray")])
def test_a_value_that_holds_several_is_refused_by_its_column(value, kind):
    values = pd.Series(["a", value], dtype=object)
    with pytest.raises(DataError) as refusal:
        Codec().fit(pd.DataFrame({"v": values}), np.ones(2))
    assert str(refusal.value) == (
        f"column 'v' holds {str(value)!r}, a {kind}; turn it into numbers, text or booleans, or leave it out"
    )


def test_categories_that_have_no_way_back_are_refused_even_where_no_row_has_them():
    days = pd.CategoricalDtype(pd.DatetimeIndex(["2020-01-01"], dtype="datetime64[s]"))
    with pytest.raises(
        DataError, match=r"^column 'v' has categories of the dtype datetime64\[s\], which no gen"
    ):
        Codec().fit(column([None, None], days), np.ones(2))
    mixed = pd.CategoricalDtype(["a", "b", pd.Timestamp("2020-01-01")])
    with pytest.raises(
        DataError, match=r"^column 'v' has the category Timestamp\(.*\), a Timestamp; turn it into"
    ):
        Codec().fit(column(["a", "b"], mixed), np.ones(2))
