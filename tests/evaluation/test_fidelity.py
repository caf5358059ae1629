import numpy as np
import pandas as pd
import pytest

from rareflow.errors import DataError
from rareflow.evaluation.fidelity import FIDELITY, MIN_ROWS, fidelity_by_class


def mixed(rows, seed, shift=0.0):
    """Draw dependent columns of every kind."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pd.DataFrame(
        {
            "x": x + shift,
            "tail": np.where(rng.random(rows) < 0.05, 1e38, np.exp(x + shift + rng.normal(size=rows))),
            "whole": rng.poisson(3 + 3 * shift, rows),
            "flag": x + shift + rng.normal(size=rows) > 0,
            "gap": np.where(rng.random(rows) < 0.2 + 0.3 * shift, np.nan, rng.normal(size=rows)),
            "kind": pd.Categorical(np.where(x + shift > 0.5, "tcp", rng.choice(["udp", "icmp"], rows))),
            "text": np.where(rng.random(rows) < 0.1, None, rng.choice(list("abc"), rows)).astype(object),
            "same": 7.0,
        }
    )


def fidelity(real, forged, *, seed):
    """The measures of one class."""
    labels = (np.full(len(part), "a", dtype=object) for part in (real, forged))
    found = fidelity_by_class(real, next(labels), forged, next(labels), seed=seed)
    return found.loc["a"].drop(["held_out_rows", "forged_rows"]).to_dict()


def lone(real, forged, seed=0):
    return fidelity(pd.DataFrame({"x": real}), pd.DataFrame({"x": forged}), seed=seed)


@pytest.fixture(scope="module")
def alike():
    return fidelity(mixed(300, 0), mixed(300, 1), seed=0)


@pytest.fixture(scope="module")
def shifted():
    return fidelity(mixed(300, 0), mixed(300, 1, shift=1.0), seed=0)


def test_another_sample_of_the_same_distribution_scores_high(alike):
    assert tuple(alike) == FIDELITY
    assert alike["marginal"] > 0.93
    assert alike["pairwise"] > 0.9
    assert alike["c2st_auc"] == pytest.approx(0.5, abs=0.08)
    for name in ("precision", "recall", "coverage"):
        assert alike[name] > 0.9, name
    assert alike["density"] == pytest.approx(1, abs=0.2)


def test_a_shifted_sample_scores_lower_and_is_told_apart(alike, shifted):
    assert shifted["c2st_auc"] > 0.75
    for name in ("marginal", "pairwise", "precision", "density", "coverage"):
        assert shifted[name] < alike[name] - 0.02, name


def test_equal_tables_are_equal_in_columns_pairs_and_manifold():
    X = mixed(100, 0)
    found = fidelity(X, X, seed=0)
    assert [found[name] for name in ("marginal", "precision", "recall", "coverage")] == [1, 1, 1, 1]
    assert found["pairwise"] == pytest.approx(1, abs=1e-6)


def test_disjoint_numbers_have_nothing_in_common():
    found = lone(np.arange(50.0), np.arange(50.0) + 1000)
    assert found.pop("pairwise") != found.pop("c2st_auc") == 1
    assert set(found.values()) == {0.0}


def test_the_marginal_of_a_number_is_the_complement_of_the_kolmogorov_smirnov_distance():
    assert lone(np.arange(20.0), np.arange(20.0) + 5)["marginal"] == pytest.approx(0.75)


def test_the_marginal_of_categories_is_the_complement_of_the_total_variation_distance():
    assert lone(["a"] * 10 + ["b"] * 10, ["a"] * 5 + ["c"] * 15)["marginal"] == pytest.approx(0.25)


def test_missing_values_count_in_the_marginals_of_numbers_and_categories():
    numbers = np.arange(20.0)
    assert lone(numbers, np.where(numbers < 10, np.nan, numbers))["marginal"] <= 0.5
    assert lone(["a"] * 20, ["a"] * 10 + [None] * 10)["marginal"] == 0.5


def test_a_correlation_turned_round_scores_zero_and_one_lost_a_half():
    x = np.arange(30.0)
    real = pd.DataFrame({"x": x, "y": x**3})
    assert fidelity(real, real.assign(y=-real["y"]), seed=0)["pairwise"] == pytest.approx(0)
    assert fidelity(real, real.assign(y=1.0), seed=0)["pairwise"] == pytest.approx(0.5)


def test_a_lost_dependence_of_categories_shows_in_the_pairs_alone():
    rng = np.random.default_rng(0)
    a = rng.choice(["p", "q"], 400)
    real = pd.DataFrame({"a": a, "b": a, "x": (a == "p") * 1.0})
    forged = real.assign(b=rng.permutation(a), x=rng.permutation(real["x"]))
    found = fidelity(real, forged, seed=0)
    assert found["marginal"] == 1
    assert found["pairwise"] == pytest.approx(0.5, abs=0.05)


def test_one_column_has_no_pairs():
    assert np.isnan(lone(np.arange(20.0), np.arange(20.0))["pairwise"])


def test_a_collapsed_generator_has_precision_and_no_recall():
    real = mixed(200, 0)
    found = fidelity(real, real.iloc[[0] * 200], seed=0)
    assert found["precision"] == 1
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.2


def test_equal_rows_are_within_balls_that_have_no_radius():
    found = lone(np.ones(20), np.ones(20))
    assert [found[name] for name in ("precision", "recall", "coverage")] == [1, 1, 1]


def test_same_seed_same_figures_with_more_rows_than_are_looked_at():
    parts = [pd.DataFrame(np.random.default_rng(i).normal(size=(1200, 3))) for i in range(2)]
    assert fidelity(*parts, seed=1) == fidelity(*parts, seed=1)
    assert fidelity(*parts, seed=1) != fidelity(*parts, seed=2)


def test_the_order_of_rows_and_columns_and_the_names_change_nothing_material(alike):
    real, forged = mixed(300, 0), mixed(300, 1)
    names = list(reversed(real.columns))
    turned = fidelity(real[::-1], forged.sample(frac=1, random_state=0)[names], seed=0)
    renamed = fidelity(real.set_axis(range(8), axis=1), forged.set_axis(range(8), axis=1), seed=0)
    assert renamed == alike
    for name in FIDELITY:
        assert turned[name] == pytest.approx(alike[name], abs=0.08 if name == "c2st_auc" else 1e-6), name


def test_as_many_columns_as_a_wide_table_has_are_measured():
    rng = np.random.default_rng(0)
    real, forged = (pd.DataFrame(rng.normal(size=(20, 300))) for _ in range(2))
    assert not np.isnan(list(fidelity(real, forged, seed=0).values())).any()


@pytest.mark.parametrize(("real", "forged"), [(MIN_ROWS - 1, 50), (50, MIN_ROWS - 1), (1, 50), (0, 50)])
def test_too_few_rows_are_not_measured(real, forged):
    found = fidelity(mixed(real, 0), mixed(forged, 1), seed=0)
    assert tuple(found) == FIDELITY
    assert np.isnan(list(found.values())).all()


def test_the_fewest_rows_are_measured():
    assert not np.isnan(list(fidelity(mixed(MIN_ROWS, 0), mixed(MIN_ROWS, 1), seed=0).values())).any()


def test_each_forged_class_has_its_row_and_its_support():
    X, y = mixed(60, 0), np.repeat(["b", "a", "c"], [30, 25, 5]).astype(object)
    forged, labels = mixed(40, 1), np.repeat(["c", "a"], 20).astype(object)
    found = fidelity_by_class(X, y, forged, labels, seed=0)
    assert list(found.index) == ["a", "c"]
    assert list(found.columns) == ["held_out_rows", "forged_rows", *FIDELITY]
    assert found["held_out_rows"].tolist() == [25, 5]
    assert found["forged_rows"].tolist() == [20, 20]
    assert found.loc["a", FIDELITY].to_dict() == fidelity(X[30:55], forged[20:], seed=0)
    assert found.loc["c", list(FIDELITY)].isna().all()


def test_nothing_forged_is_an_empty_table():
    X, y = mixed(5, 0), np.array(["a"] * 5, dtype=object)
    assert fidelity_by_class(X, y, X[:0], y[:0], seed=0).shape == (0, 2 + len(FIDELITY))


def test_a_missing_column_is_refused():
    with pytest.raises(DataError, match="column 'tail' of the real rows is missing"):
        fidelity(mixed(20, 0), mixed(20, 1).drop(columns="tail"), seed=0)
