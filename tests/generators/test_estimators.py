import datetime
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from rareflow import VAEWGANGP, fit_together
from rareflow.errors import ConfigError, DataError, DivergedError
from rareflow.generators.training import Step
from rareflow.generators.training_config import ARCHITECTURES
from tests.generators.tables import mixed

X, Y = mixed()
TINY = {
    "steps": 2,
    "hidden_dim": 8,
    "latent_dim": 2,
    "n_critic": 1,
    "batch_size": 16,
    "device": "cpu",
    "random_state": 0,
}


def model(**params):
    return VAEWGANGP(**(TINY | params))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("filtered", [False, True])
def test_every_architecture_fits_and_samples_exact_counts_of_every_class(architecture, filtered):
    fitted = model(architecture=architecture, filter=filtered).fit(X, Y)
    assert fitted.classes_.tolist() == ["common", "pair", "rare", "single"]
    assert [step.step for step in fitted.history_] == [1, 2]
    for label, count in zip(fitted.classes_, [30, 7, 20, 3], strict=True):
        rows = fitted.sample(label, count, random_state=1)
        assert len(rows) == count
        pd.testing.assert_series_equal(rows.dtypes, X.dtypes)


def test_a_class_of_one_row_repeats_that_row_exactly():
    rows = model(filter=True).fit(X, Y).sample("single", 4)
    pd.testing.assert_frame_equal(rows, X[Y == "single"].iloc[[0] * 4].reset_index(drop=True))


def test_the_same_random_state_gives_the_same_bits_and_another_others():
    one, same, other = (model(random_state=seed).fit(X, Y) for seed in (3, 3, 4))
    for name, value in one.generator_.tensors.items():
        assert np.array_equal(value, same.generator_.tensors[name], equal_nan=True), name
    rows = one.sample("rare", 40, random_state=1)
    pd.testing.assert_frame_equal(rows, same.sample("rare", 40, random_state=1))
    assert not rows.equals(other.sample("rare", 40, random_state=1))
    assert not rows.equals(one.sample("rare", 40, random_state=2))


def test_fitting_leaves_the_global_random_states_alone():
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    model(filter=True).fit(X, Y).sample("rare", 5)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), torch_state)


def test_fitting_leaves_the_table_alone():
    before_X, before_y = X.copy(), Y.copy()
    model().fit(X, Y)
    pd.testing.assert_frame_equal(X, before_X)
    pd.testing.assert_series_equal(Y, before_y)


def test_each_step_is_told_and_raising_there_stops_the_training_with_that_very_error():
    class EnoughError(Exception):
        pass

    enough, told = EnoughError("enough"), []

    def listen(step):
        told.append(step)
        if step.step == 3:
            raise enough

    with pytest.raises(EnoughError) as stopped:
        model(steps=100).fit(X, Y, on_step=listen)
    assert stopped.value is enough
    assert [step.step for step in told] == [1, 2, 3]
    assert all(isinstance(step, Step) for step in told)


def test_the_default_sampling_is_crossover_with_an_encoder_and_prior_without():
    for architecture, mode in (("vae", "crossover"), ("wgan", "prior")):
        fitted = model(architecture=architecture).fit(X, Y)
        assert fitted.generator_.spec["sampling"]["mode"] == mode


def test_it_is_cloned_with_its_parameters():
    assert clone(model(noise=0.25)).get_params() == model(noise=0.25).get_params()


def test_an_array_stands_for_a_frame_of_numbered_columns():
    rng = np.random.default_rng(0)
    rows = model().fit(rng.normal(size=(50, 3)), [0, 1] * 25).sample(1, 6)
    assert rows.columns.tolist() == ["x0", "x1", "x2"]
    assert [str(dtype) for dtype in rows.dtypes] == ["float64"] * 3


def test_an_array_of_objects_gives_its_numbers_as_numbers():
    array = np.array([[1, "a", 0.5], [2, "b", 1.5]] * 10, dtype=object)
    rows = model().fit(array, [0, 1] * 10).sample("0", 5)
    assert [str(dtype) for dtype in rows.dtypes] == ["int64", "str", "float64"]


def test_a_frame_s_objects_that_are_numbers_throughout_are_numbers_and_others_stay_what_they_are():
    columns = {"f": [0.5, 1.5, None, 2.25], "i": [1, 2, 3, 5], "b": [True, False, True, True]}
    mixed = {"t": ["x", "y", "x", None], "m": [1, "a", 2, 3], "n": [1.5, pd.NA, 2.5, 3.0]}
    frame = pd.DataFrame({name: values * 10 for name, values in (columns | mixed).items()}, dtype=object)
    spec = model().fit(frame, [0, 1] * 20).generator_.spec
    kinds = {column["name"]: column["dtype"] for column in spec["columns"]}
    assert kinds == {"f": "float64", "i": "int64", "b": "bool", "t": "object", "m": "object", "n": "float64"}


def test_numbers_of_another_byte_order_train_as_those_of_this_machine_s():
    rng = np.random.default_rng(0)
    frame, labels = pd.DataFrame({"a": rng.normal(size=40)}), np.arange(40) % 2
    swapped = pd.DataFrame({"a": frame["a"].to_numpy().astype(frame["a"].dtype.newbyteorder("S"))})
    one = model().fit(frame, labels).sample(1, 8, random_state=0)
    other = model().fit(swapped, labels.astype(labels.dtype.newbyteorder("S"))).sample(1, 8, random_state=0)
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    "columns",
    [
        pd.Index([0, ("a", "b"), None], dtype=object),
        pd.RangeIndex(3),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["kind", "number"]),
        pd.CategoricalIndex(["u", "v", "w"], name="named"),
    ],
    ids=["mixed", "numbers", "levels", "categories"],
)
def test_forged_rows_have_the_names_of_the_table_s_columns_whatever_they_are(columns):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=columns)
    fitted = model().fit(frame, [0, 1] * 10)
    pd.testing.assert_index_equal(fitted.sample(0, 2).columns, columns, exact=True)
    assert fitted.generator_.sample("0", 2).columns.tolist() == [str(name) for name in columns]
    pd.testing.assert_index_equal(frame.columns, columns, exact=True)


@pytest.mark.parametrize(
    ("labels", "asked"),
    [([0.0, 1.0], (1, 1.0, True, "1.0")), ([False, True], (1, True, "True")), ([0, 1], (1, 1.0, True, "1"))],
)
def test_a_class_is_what_equals_it_or_its_text(labels, asked):
    fitted = model().fit(X[["pressure"]], labels * 60)
    rows = fitted.sample(fitted.classes_[1], 3, random_state=1)
    for label in asked:
        pd.testing.assert_frame_equal(fitted.sample(label, 3, random_state=1), rows)


def test_the_number_of_features_is_told_and_their_names_where_all_are_text():
    fitted = model().fit(X, Y)
    assert fitted.n_features_in_ == X.shape[1]
    assert fitted.feature_names_in_.dtype == object
    assert fitted.feature_names_in_.tolist() == X.columns.tolist()
    assert set(fitted.sample("rare", 1)) == set(fitted.feature_names_in_)


@pytest.mark.parametrize("features", [np.eye(20, 3), pd.DataFrame(np.eye(20, 3))])
def test_columns_without_names_of_text_have_none_not_even_those_of_an_earlier_fit(features):
    fitted = model().fit(X, Y).fit(features, [0, 1] * 10)
    assert fitted.n_features_in_ == 3
    assert not hasattr(fitted, "feature_names_in_")


def test_an_index_of_any_kind_does_not_matter():
    shuffled = X.set_index(pd.Index(np.arange(len(X))[::-1] // 2))
    pd.testing.assert_frame_equal(
        model().fit(shuffled, Y.set_axis(shuffled.index)).sample("rare", 9, random_state=0),
        model().fit(X, Y).sample("rare", 9, random_state=0),
    )


def test_a_label_without_a_name_is_called_label():
    generator = model().fit(X, Y.to_numpy()).generator_
    assert generator.spec["label"]["name"] == "label"


def test_one_class_alone_is_fitted():
    assert len(model(filter=True).fit(X, ["only"] * len(X)).sample("only", 12)) == 12


def test_a_generator_saves_and_loads_what_the_estimator_samples(tmp_path):
    fitted = model().fit(X, Y)
    loaded = type(fitted.generator_).load(fitted.generator_.save(tmp_path))
    pd.testing.assert_frame_equal(
        loaded.sample("rare", 30, seed=1), fitted.sample("rare", 30, random_state=1)
    )


@pytest.mark.parametrize("filtered", [False, True])
def test_a_column_without_any_value_has_none_in_forged_rows_either(filtered, tmp_path):
    empty = {"none": np.nan, "count": pd.NA, "text": None, "kind": None}
    dtypes = {"none": "float32", "count": "Int64", "text": "str", "kind": pd.CategoricalDtype(["a", "b"])}
    sparse = X.assign(**empty).astype(dtypes)
    fitted = model(filter=filtered).fit(sparse, Y)
    rows = type(fitted.generator_).load(fitted.generator_.save(tmp_path)).sample("rare", 30, seed=1)
    assert rows[list(empty)].isna().all(axis=None)
    assert rows.dtypes.to_dict() == sparse.dtypes.to_dict()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"codec": "log"}, "codec='log' is none of asinh, quantile, zscore"),
        ({"snap": "all"}, "snap='all' is none of none, shared, observed"),
        (
            {"sampling": "smote"},
            "sampling='smote' is none of prior, posterior, neighbours, interpolation, residual, crossover",
        ),
        (
            {"architecture": "wgan", "sampling": "posterior"},
            "sampling='posterior' needs an encoder, which architecture='wgan' lacks; "
            "use sampling='prior' or architecture='vae-wgan-gp'",
        ),
        *(
            (
                {"n_neighbors": value},
                f"n_neighbors={value!r} must be a whole number from 1 to 2000, "
                "the real rows that are kept of a class at most",
            )
            for value in (0, 2.5, "a", 2001, 10**9)
        ),
        *(
            ({"noise": value}, f"noise={value!r} must be a number from 0 to 1000000")
            for value in (-1, float("nan"), float("inf"), "a", None, 1e7)
        ),
        *(
            (
                {"random_state": value},
                f"random_state={value!r} must be a whole number of at least 0, a numpy.random.RandomState "
                "or None",
            )
            for value in (-1, 0.5, "a")
        ),
        *(({"filter": value}, f"filter={value!r} must be True or False") for value in ("none", None, 1)),
        ({"device": "tpu"}, "device='tpu' is none of auto, cpu, cuda"),
        ({"steps": 0}, "steps=0 must be a whole number of at least 1"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused_with_its_value_before_any_training(params, message):
    with pytest.raises(ConfigError) as refusal:
        model(**params).fit(X, Y, on_step=pytest.fail)
    assert str(refusal.value) == message


def test_the_largest_noise_and_the_most_neighbours_are_taken():
    fitted = model(noise=1e6, n_neighbors=2000).fit(X, Y)
    assert len(fitted.sample("rare", 3)) == 3


def test_a_random_state_of_scikit_learn_s_form_is_drawn_from_at_each_fit_and_each_sample():
    one, same = (model(random_state=np.random.RandomState(0)).fit(X, Y) for _ in range(2))
    for name, value in one.generator_.tensors.items():
        assert np.array_equal(value, same.generator_.tensors[name], equal_nan=True), name
    state = np.random.RandomState(1)
    rows = [one.sample("rare", 20, random_state=state) for _ in range(2)]
    pd.testing.assert_frame_equal(rows[0], same.sample("rare", 20, random_state=np.random.RandomState(1)))
    assert not rows[0].equals(rows[1])


@pytest.mark.parametrize("value", [-1, 0.5, "a"])
def test_sampling_with_what_is_no_random_state_is_refused_with_its_value(value):
    fitted = model().fit(X, Y)
    with pytest.raises(
        ConfigError, match=rf"^random_state={value!r} must be a whole number of at least 0, a"
    ):
        fitted.sample("rare", 1, random_state=value)


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ConfigError, match=r"^device='cuda' but this torch sees no CUDA device; use device='cpu' or"
    ):
        model(device="cuda").fit(X, Y)


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (X, Y[:-1], "X has 120 rows and y has 119; every row needs one label"),
        (X, Y.where(Y != "pair"), "y has 2 missing labels; drop those rows"),
        (X, [1, "a"] * 60, "y mixes labels of types int, str; make them one type"),
        (
            X,
            pd.date_range("2020", periods=120),
            "y has the dtype datetime64[us], which no generator gives back; "
            "name classes by text, numbers or booleans",
        ),
        (
            X,
            pd.date_range("2020", periods=120).astype("datetime64[ns]"),
            "y has the dtype datetime64[ns], which no generator gives back; "
            "name classes by text, numbers or booleans",
        ),
        (
            X,
            [datetime.date(2020, 1, 1)] * 120,
            "y holds datetime.date(2020, 1, 1), a date; name classes by text, numbers or booleans",
        ),
        (X, np.zeros((120, 2)), "y must be one column of labels, not of shape (120, 2)"),
        (X.iloc[:0], [], "X must hold at least one row and one column, not (0, 10)"),
        (X[[]], Y, "X must hold at least one row and one column, not (120, 0)"),
        (np.zeros(5), [0] * 5, "X must be a table of shape (rows, columns), not of shape (5,)"),
        (X[["version"]], Y, "every column of X holds one value alone; give a generator one that varies"),
        (
            X.rename(columns={"bytes": "attack"}),
            Y,
            "X has a column 'attack' and so is y named; leave it out of X or rename one",
        ),
        (
            X.rename(columns={"bytes": "rate"}),
            Y,
            "column 'rate' occurs more than once in X; rename one of them",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_remedy(features, labels, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        model().fit(features, labels)


@pytest.mark.parametrize("dtype", ["float[pyarrow]", "halffloat[pyarrow]", "large_string[pyarrow]"])
def test_features_and_labels_of_narrow_arrow_dtypes_come_back_from_a_saved_generator(dtype, tmp_path):
    plain = np.arange(40) % 10 / 2 if "float" in dtype else np.array(["a", "b", "c", "d"] * 10, dtype=object)
    table = pd.DataFrame({"n": np.arange(40) % 11, "v": pd.Series(plain).astype(dtype)})
    labels = pd.Series(plain[:2][np.arange(40) % 2], name="kind").astype(dtype)
    generator = model().fit(table, labels).generator_
    loaded = type(generator).load(generator.save(tmp_path))
    rows = loaded.table(pd.DataFrame({"label": loaded.classes, "count": [20, 20]}), seed=0)
    assert rows.dtypes.astype(str).to_dict() == {"n": "int64", "v": dtype, "kind": dtype}
    assert rows["kind"].tolist() == [value for value in sorted(plain[:2]) for _ in range(20)]
    assert min(plain) <= min(rows["v"]) <= max(rows["v"]) <= max(plain)


def test_sampling_before_fitting_is_refused():
    with pytest.raises(NotFittedError, match="VAEWGANGP"):
        model().sample("rare", 1)


def test_fitted_together_each_generator_is_what_it_is_alone_whatever_its_shape_and_table():
    half = np.arange(len(X)) % 2 == 0
    ways = [
        ({"random_state": 1}, (X, Y)),
        ({"latent_dim": 3}, (X, Y)),
        ({"random_state": 2, "sampling": "prior"}, (X, Y)),
        ({"random_state": 3}, (X[half], Y[half])),
    ]
    heard = []
    together = fit_together(
        [model(**params) for params, _ in ways],
        [table for _, table in ways],
        on_step=lambda number, step: heard.append((number, step.step)),
    )
    assert sorted(heard) == [(number, step) for number in range(4) for step in (1, 2)]
    for (params, table), found in zip(ways, together, strict=True):
        alone = model(**params).fit(*table)
        assert found.generator_.spec == alone.generator_.spec
        for name in ("decoder.net.0.weight", "anchors.mu"):
            np.testing.assert_allclose(
                found.generator_.tensors[name], alone.generator_.tensors[name], rtol=1e-3, atol=1e-4
            )


def test_each_generator_needs_a_table():
    with pytest.raises(ConfigError, match=r"^there are 2 generators but 1 tables; give one each$"):
        fit_together([model(), model()], [(X, Y)])


def test_one_generator_is_not_fitted_on_two_tables():
    with pytest.raises(ConfigError, match=r"^one generator is given more than once; make one for each"):
        fit_together([model()] * 2, [(X, Y)] * 2)


def test_labels_may_be_the_one_column_of_a_table():
    alone = model().fit(X, Y)
    for labels in (Y.to_frame(), Y.to_numpy()[:, None]):
        assert model().fit(X, labels).history_ == alone.history_


def test_where_one_table_cannot_be_used_nothing_is_fitted():
    generators = [model(), model()]
    with pytest.raises(DataError, match=r"^every column of X holds one value"):
        fit_together(generators, [(X, Y), (pd.DataFrame({"x": np.zeros(len(Y))}), Y)])
    assert not hasattr(generators[0], "generator_")


def test_where_one_of_several_cannot_be_ended_nothing_is_fitted():
    generators = [model(architecture="vae", steps=1, learning_rate=rate) for rate in (1e-3, 1e15)]
    with pytest.raises(DivergedError, match="latent points are no longer finite"):
        fit_together(generators, [(X, Y)] * 2)
    assert not hasattr(generators[0], "generator_")


@pytest.mark.parametrize("error", [KeyboardInterrupt, DivergedError("no")])
def test_a_fit_that_is_cut_off_at_its_very_end_leaves_the_one_before_whole(monkeypatch, error):
    fitted = model().fit(X, Y)
    before = fitted.sample("rare", 9, random_state=0)

    def fail(*_args, **_settings):
        raise error

    monkeypatch.setattr("rareflow.generators.estimators.assemble", fail)
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        fitted.fit(X[X.columns[::-1]], Y.map(lambda label: label[::-1]))
    assert fitted.classes_.tolist() == ["common", "pair", "rare", "single"]
    assert fitted.feature_names_in_.tolist() == list(X.columns)
    pd.testing.assert_frame_equal(fitted.sample("rare", 9, random_state=0), before)
    first = model()
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        first.fit(X, Y)
    with pytest.raises(NotFittedError):
        check_is_fitted(first)


def test_weights_so_large_that_no_latent_point_is_finite_are_a_divergence():
    with pytest.raises(DivergedError, match="latent points are no longer finite; lower learning_rate"):
        model(architecture="vae", steps=1, learning_rate=1e15).fit(X, Y)


def test_rows_in_lists_keep_their_numbers():
    rows = [[1.5 + i / 7, "ab"[i % 2], i] for i in range(60)]
    forged = model().fit(rows, ["common", "rare"] * 30).sample("rare", 9)
    assert forged.dtypes.astype(str).to_dict() == {"x0": "float64", "x1": "str", "x2": "int64"}


def test_what_a_masked_array_hides_is_missing():
    numbers = np.ma.masked_equal(np.where(np.arange(60) % 3, np.arange(60), -999), -999).reshape(30, 2)
    forged = model().fit(numbers, ["common", "rare"] * 15).sample("rare", 30)
    assert forged.isna().any(axis=None)
    assert forged.min(axis=None) >= 0


def test_scikit_learn_is_told_that_text_and_missing_values_are_taken():
    tags = get_tags(VAEWGANGP())
    assert tags.input_tags.string
    assert tags.input_tags.allow_nan
    assert tags.target_tags.required
    assert not tags.input_tags.sparse


def test_a_sparse_table_is_refused_by_name():
    with pytest.raises(DataError, match=r"^X is a sparse csr_array; give X.toarray\(\)$"):
        model().fit(csr_array(np.eye(4)), [0, 0, 1, 1])


def test_a_label_that_no_class_can_have_is_unknown():
    with pytest.raises(ValueError, match="is not a class of this generator"):
        model().fit(X, Y).sample(["rare"], 2)


@pytest.mark.parametrize("is_category", [False, True])
def test_arrow_s_own_text_comes_back_as_it_was_from_a_saved_generator_too(tmp_path, is_category):
    text = pd.Series(["a", "b", None] * 20, dtype=pd.ArrowDtype(pa.string()))
    table = pd.DataFrame({"host": text.astype("category") if is_category else text, "bytes": range(60)})
    labels = pd.Series(["common", "rare"] * 30, dtype=text.dtype, name="kind")
    fitted = model().fit(table, labels)
    again = type(fitted.generator_).load(fitted.generator_.save(tmp_path))
    for rows in (fitted.sample("rare", 30, random_state=1), again.sample("rare", 30, seed=1)):
        pd.testing.assert_series_equal(rows.dtypes, table.dtypes)
        assert set(rows["host"].dropna()) <= {"a", "b"}
    drawn = again.table(pd.DataFrame({"label": ["rare"], "count": [3]}), seed=1)
    assert drawn["kind"].dtype == labels.dtype
