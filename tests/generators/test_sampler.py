import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import Pipeline
from imblearn.utils.estimator_checks import estimator_checks_generator
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from rareflow import VAEWGANGP, VAEWGANGPSampler
from rareflow.errors import ConfigError, DataError

QUICK = VAEWGANGP(steps=3, hidden_dim=8, latent_dim=2, n_critic=1, batch_size=16)


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(estimator_checks_generator(VAEWGANGPSampler(generator=QUICK, random_state=0))),
)
def test_imbalanced_learn_accepts_the_sampler(estimator, check):
    check(estimator)


def mixed_table(rows=60):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "bytes": rng.integers(0, 1000, rows).astype("int32"),
            "rate": rng.random(rows).astype("float32"),
            "proto": pd.Categorical(rng.choice(["tcp", "udp"], rows), categories=["icmp", "tcp", "udp"]),
            "flag": rng.random(rows) < 0.5,
            "service": pd.Series(rng.choice(["http", "dns"], rows), dtype="str"),
        }
    )
    y = pd.Series(np.where(np.arange(rows) % 6 == 0, "rare", "common"), name="label")
    return X, y


@pytest.mark.parametrize("names", [["label"], ["label", "label_"]])
def test_a_feature_may_be_called_label(names):
    X, y = mixed_table()
    X = X.rename(columns=dict(zip(X.columns, names, strict=False)))
    X_res, _ = VAEWGANGPSampler(generator=QUICK, random_state=0).fit_resample(X, y)
    assert list(X_res.columns) == list(X.columns)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {"common": 50, "rare": 50}),
        ({"rare": 27}, {"common": 50, "rare": 27}),
        (0.5, {"common": 50, "rare": 25}),
    ],
)
def test_a_mixed_table_is_balanced_to_exact_counts_with_its_dtypes_kept(strategy, expected):
    X, y = mixed_table()
    sampler = VAEWGANGPSampler(sampling_strategy=strategy, generator=QUICK, random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    assert y_res.value_counts().to_dict() == expected
    pd.testing.assert_series_equal(X_res.dtypes, X.dtypes)
    pd.testing.assert_frame_equal(X_res[~sampler.synthetic_mask_], X)
    assert (y_res[sampler.synthetic_mask_] == "rare").all()


@pytest.mark.parametrize("dtype", [float, bool])
def test_a_strategy_may_name_a_class_by_what_equals_it(dtype):
    X, y = mixed_table()
    y = (y == "rare").astype(dtype)
    _, balanced = VAEWGANGPSampler(sampling_strategy={1: 30}, generator=QUICK, random_state=0).fit_resample(
        X, y
    )
    assert balanced.dtype == y.dtype
    assert balanced.sum() == 30


def test_the_same_random_state_gives_the_same_rows():
    X, y = mixed_table()
    first, second = (
        VAEWGANGPSampler(generator=QUICK, random_state=3).fit_resample(X, y)[0] for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second)


def test_without_a_random_state_of_its_own_the_generator_s_decides():
    X, y = mixed_table()
    seeded = clone(QUICK).set_params(random_state=3)
    one, other = (VAEWGANGPSampler(generator=seeded).fit_resample(X, y)[0] for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    own = VAEWGANGPSampler(generator=QUICK, random_state=3).fit_resample(X, y)[0]
    pd.testing.assert_frame_equal(one, own)


def test_it_is_tuned_inside_an_imbalanced_learn_pipeline():
    X, y = mixed_table()
    pipeline = Pipeline(
        [("forge", VAEWGANGPSampler(generator=QUICK, random_state=0)), ("tree", DecisionTreeClassifier())]
    )
    search = GridSearchCV(pipeline, {"forge__generator__latent_dim": [1, 2]}, cv=2, error_score="raise")
    search.fit(X[["bytes", "rate"]], y)
    assert search.best_params_["forge__generator__latent_dim"] in {1, 2}


def test_a_balanced_table_comes_back_as_it_is():
    X, _ = mixed_table()
    y = pd.Series(["a", "b"] * 30, name="label")
    for strategy in ("auto", {"a": 30}, {}):
        sampler = VAEWGANGPSampler(sampling_strategy=strategy, generator=QUICK, random_state=0)
        X_res, y_res = sampler.fit_resample(X, y)
        pd.testing.assert_frame_equal(X_res, X)
        pd.testing.assert_series_equal(y_res, y)
        assert not sampler.synthetic_mask_.any()


def test_sparse_columns_with_numbers_for_names_are_balanced():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({0: pd.arrays.SparseArray(rng.integers(0, 2, 40)), 1: rng.normal(size=40)})
    sampler = VAEWGANGPSampler(generator=QUICK, random_state=0)
    X_res, y_res = sampler.fit_resample(X, pd.Series([0] * 30 + [1] * 10))
    assert X_res.columns.tolist() == [0, 1]
    assert y_res.value_counts().to_dict() == {0: 30, 1: 30}


@pytest.mark.parametrize("values", [[False, True], [1, 2], ["a", "b"]])
def test_labels_that_are_categories_come_back_as_they_were(values):
    X, y = mixed_table()
    labels = pd.Series(pd.Categorical(y.map(dict(zip(["common", "rare"], values, strict=True)))), name="y")
    _, balanced = VAEWGANGPSampler(generator=QUICK, random_state=0).fit_resample(X, labels)
    assert balanced.dtype == labels.dtype
    assert balanced[: len(y)].tolist() == labels.tolist()
    assert balanced.value_counts().tolist() == [50, 50]


def test_numbers_beside_text_in_lists_stay_numbers():
    X, y = mixed_table()
    listed = X[["rate", "service", "flag"]].astype(object).to_numpy().tolist()
    resampled, labels = VAEWGANGPSampler(generator=QUICK, random_state=0).fit_resample(listed, y.tolist())
    assert resampled[: len(listed)] == listed
    assert len(resampled) == len(labels) == 100
    rates = [row[0] for row in resampled[len(listed) :]]
    assert all(isinstance(rate, float) for rate in rates)
    assert not set(rates) <= {row[0] for row in listed}


def test_what_is_masked_is_missing():
    X = np.ma.masked_array(np.arange(60.0).reshape(30, 2), np.tile([[True, False]], (30, 1)))
    resampled, _ = VAEWGANGPSampler(generator=QUICK, random_state=0).fit_resample(X, [0] * 20 + [1] * 10)
    assert np.isnan(resampled[:, 0]).all()
    assert not np.isnan(resampled[:, 1]).any()


@pytest.mark.parametrize("wanted", [30.7, np.nan])
def test_a_count_that_is_no_whole_number_is_refused_before_the_training_as_it_was_given(wanted):
    X, y = mixed_table()
    sampler = VAEWGANGPSampler(sampling_strategy={"rare": wanted}, generator=QUICK)
    with pytest.raises(
        ConfigError, match=rf"^sampling_strategy asks for {wanted} rows of class 'rare'; give "
    ):
        sampler.fit_resample(X, y)
    assert not hasattr(sampler, "generator_")


def test_missing_labels_are_counted():
    X, y = mixed_table()
    with pytest.raises(DataError, match=r"^y has 10 missing labels; drop those rows$"):
        VAEWGANGPSampler(generator=QUICK).fit_resample(X, y.where(y == "common"))
