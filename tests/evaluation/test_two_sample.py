import numpy as np
import pytest

from rareflow.evaluation.two_sample import c2st_auc


def normal(rows, seed, columns=4):
    return np.random.default_rng(seed).normal(size=(rows, columns))


def mean_auc(sample, draws):
    return np.mean([c2st_auc(sample(2 * i), sample(2 * i + 1), seed=i) for i in range(draws)])


def test_two_halves_of_one_sample_cannot_be_told_apart():
    assert mean_auc(lambda seed: normal(200, seed), 5) == pytest.approx(0.5, abs=0.05)


def test_the_smallest_samples_are_not_biased():
    assert mean_auc(lambda seed: normal(10, seed), 20) == pytest.approx(0.5, abs=0.1)


def test_samples_of_few_distinct_rows_are_not_biased():
    """Sorting a mode's rows into folds by their label would show every fold the other's noise: 0.6."""
    found = mean_auc(lambda seed: np.random.default_rng(seed).integers(0, 2, (50, 3)).astype(float), 20)
    assert found == pytest.approx(0.5, abs=0.04)


def test_disjoint_samples_can_be_told_apart():
    assert c2st_auc(normal(100, 0), normal(100, 1) + 10, seed=0) == 1
    assert c2st_auc(np.zeros((10, 1)), np.ones((10, 1)), seed=0) == 1
    assert c2st_auc(np.zeros((10, 1)), normal(10, 0, columns=1), seed=0) > 0.9


def test_a_copy_of_every_real_row_is_not_told_apart_and_scores_no_better_than_that():
    real = normal(200, 0)
    assert c2st_auc(real, real, seed=0) == pytest.approx(0.5, abs=0.01)


def test_equal_rows_tell_nothing():
    assert c2st_auc(np.zeros((10, 2)), np.zeros((10, 2)), seed=0) == 0.5


def test_other_shares_of_the_same_rows_are_told_apart():
    real, forged = np.repeat([0.0, 1.0], [90, 10]), np.repeat([0.0, 1.0], [10, 90])
    assert c2st_auc(real[:, None], forged[:, None], seed=0) == pytest.approx(0.9)


def test_folds_that_cannot_hold_both_kinds_have_no_score():
    assert np.isnan(c2st_auc(np.zeros((2, 1)), np.ones((2, 1)), seed=0))


def test_same_seed_same_figure():
    one, other = normal(60, 0), normal(60, 1)
    assert c2st_auc(one, other, seed=3) == c2st_auc(one, other, seed=3)
