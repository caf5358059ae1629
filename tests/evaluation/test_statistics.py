from itertools import product
from math import isnan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rareflow.errors import DataError
from rareflow.evaluation.statistics import (
    average_ranks,
    best_others,
    comparable,
    compare_each,
    compare_paired,
    holm,
    signed_rank_p,
)


def frame(**columns):
    return pd.DataFrame(columns)


def by_enumeration(differences):
    """Go through every assignment of signs."""
    ranks = stats.rankdata(np.abs(differences))
    seen = ranks[np.array(differences) > 0].sum()
    centre = ranks.sum() / 2
    sums = [np.dot(signs, ranks) for signs in product([0, 1], repeat=len(ranks))]
    return np.mean([abs(each - centre) >= abs(seen - centre) - 1e-9 for each in sums])


def test_holm_is_the_hand_example():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_1_and_leaves_one_test_alone():
    assert holm([0.5, 0.9, 0.7]).tolist() == [1.0, 1.0, 1.0]
    assert holm([0.03]).tolist() == [0.03]
    assert holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.randoms())
def test_holm_keeps_the_order_of_p_values_and_knows_no_order_of_tests(values, random):
    corrected = holm(values)
    assert (corrected >= values).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()
    mixed = list(range(len(values)))
    random.shuffle(mixed)
    np.testing.assert_array_equal(np.sort(holm([values[i] for i in mixed])), np.sort(corrected))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 5).filter(bool), min_size=1, max_size=9))
def test_the_signed_rank_p_is_that_of_every_assignment_of_signs_with_ties_too(differences):
    assert signed_rank_p(differences) == pytest.approx(min(1.0, by_enumeration(differences)))


@pytest.mark.parametrize("seeds", [3, 10, 40])
def test_without_ties_the_signed_rank_p_is_scipys_exact_one(seeds):
    differences = np.random.default_rng(seeds).normal(0.5, 1, seeds)
    assert signed_rank_p(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)


def test_ten_seeds_on_one_side_have_the_least_p_that_ten_can():
    assert signed_rank_p(np.arange(1, 11) / 100) == pytest.approx(2 / 2**10)


def test_differences_of_0_are_left_out_and_all_of_them_prove_nothing():
    assert signed_rank_p([0.0, 1.0, 2.0, 3.0]) == signed_rank_p([1.0, 2.0, 3.0])
    assert signed_rank_p([0.0, 0.0]) == 1.0
    assert signed_rank_p([0.1 + 0.2 - 0.3] * 4) == 1.0


def test_a_difference_has_its_t_interval():
    first, second = np.array([0.8, 0.9, 0.7, 0.85]), np.array([0.7, 0.85, 0.7, 0.8])
    found = compare_paired(frame(a=first, b=second), "a", "b")
    interval = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.augmenter, found.reference, found.seeds) == ("a", "b", 4)
    assert found.difference == pytest.approx(0.05)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == found.p_holm == signed_rank_p(first - second)


def test_a_comparison_turned_round_changes_its_sign_alone():
    scores = frame(a=[1.0, 2.0, 4.0], b=[0.5, 2.5, 1.0])
    there, back = compare_paired(scores, "a", "b"), compare_paired(scores, "b", "a")
    assert (there.difference, there.low, there.high) == pytest.approx(
        (-back.difference, -back.high, -back.low)
    )
    assert there.p == back.p


def test_seeds_that_one_of_two_lacks_are_left_out():
    scores = frame(a=[1.0, 2.0, np.nan, 4.0], b=[0.0, np.nan, 3.0, 1.0])
    found = compare_paired(scores, "a", "b")
    assert (found.seeds, found.difference) == (2, 2.0)


def test_one_seed_has_no_interval_and_proves_nothing():
    found = compare_paired(frame(a=[0.9], b=[0.5]), "a", "b")
    assert isnan(found.low)
    assert isnan(found.high)
    assert found.p == 1.0


def test_an_augmenter_like_its_reference_differs_by_nothing_with_certainty():
    found = compare_paired(frame(a=[0.9, 0.8], b=[0.9, 0.8]), "a", "b")
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_family_is_corrected_together():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=10)
    scores = frame(RAW=raw, up=raw + 1, level=raw + rng.normal(size=10), down=raw - 1)
    family = compare_each(scores, dict.fromkeys(scores, "RAW"))
    assert list(family) == ["up", "level", "down"]
    assert [each.p_holm for each in family.values()] == holm([each.p for each in family.values()]).tolist()
    assert family["up"].p_holm == pytest.approx(3 * 2 / 2**10)


def test_the_best_other_has_the_highest_mean_of_the_others():
    scores = frame(ours=[9.0, 9.0], a=[1.0, 3.0], b=[2.0, 2.5], void=[np.nan, np.nan])
    assert best_others(scores)["ours"] == "b"
    assert best_others(scores)["b"] == "ours"


def test_one_lucky_seed_does_not_make_the_best_other():
    scores = frame(ours=[5.0] * 4, steady=[3.0, 4, 3, 4], lucky=[99.0, np.nan, np.nan, np.nan])
    assert best_others(scores)["ours"] == "steady"
    assert best_others(scores)["lucky"] == "ours"


def test_the_best_other_is_the_best_on_the_seeds_of_the_one_that_is_compared():
    scores = frame(ours=[1.0, 2.0, np.nan], elsewhere=[0.0, 0.0, 99.0], here=[1.0, 1.0, 1.0])
    assert best_others(scores)["ours"] == "here"


def test_where_nobody_has_all_the_seeds_those_that_share_most_are_compared():
    scores = frame(ours=[1.0] * 3, two=[5.0, 5.0, np.nan], one=[np.nan, np.nan, 9.0], void=[np.nan] * 3)
    assert best_others(scores)["ours"] == "two"
    assert best_others(scores[["two", "one"]]) == {}


def test_what_is_comparable_keeps_most_scores_and_the_order_of_the_augmenters():
    gap = np.nan
    scores = frame(lucky=[gap, gap, 9.0, gap], a=[1.0, 2, 3, gap], b=[1.0, 2, 3, 4], c=[gap, 2.0, 3, 4])
    assert comparable(scores).to_dict("list") == {"a": [2.0, 3.0], "b": [2.0, 3.0], "c": [2.0, 3.0]}
    assert comparable(frame(a=[1.0, gap], b=[gap, 1.0])).empty
    assert comparable(frame(a=[1.0, gap])).to_dict("list") == {"a": [1.0]}


def test_average_ranks_are_friedmans():
    rng = np.random.default_rng(1)
    scores = frame(a=rng.normal(size=12), b=rng.normal(size=12) + 2, c=rng.normal(size=12) + 0.5)
    found = average_ranks(scores)
    assert found.ranks.index[0] == "b"
    assert found.ranks.sum() == pytest.approx(6)
    assert found.p == pytest.approx(stats.friedmanchisquare(*scores.to_numpy().T).pvalue)
    # Demsar 2006, table 5: q = 2.343 for three classifiers.
    assert found.critical_difference == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 12)), rel=1e-3)


def test_ranks_share_ties_and_leave_out_seeds_that_are_not_whole():
    found = average_ranks(frame(a=[1.0, 1.0, np.nan], b=[1.0, 0.0, 5.0], c=[0.0, 2.0, 9.0]))
    assert found.seeds == 2
    assert found.ranks.to_dict() == {"a": 1.75, "c": 2.0, "b": 2.25}


def test_augmenters_all_alike_rank_alike():
    assert average_ranks(frame(a=[1.0, 2.0], b=[1.0, 2.0], c=[1.0, 2.0])).p == 1.0


@pytest.mark.parametrize("scores", [frame(a=[1.0, 2.0], b=[2.0, 3.0]), frame(a=[1.0], b=[2.0], c=[3.0])])
def test_too_few_augmenters_or_seeds_are_ranked_but_not_tested(scores):
    found = average_ranks(scores)
    assert found.ranks.iloc[0] == 1
    assert isnan(found.p)
    assert isnan(found.critical_difference)


def test_an_augmenter_without_scores_is_refused():
    with pytest.raises(DataError, match="augmenter 'x' has no scores; there are a, b"):
        compare_paired(frame(a=[1.0], b=[2.0]), "a", "x")


def test_augmenters_without_a_seed_in_common_are_refused():
    with pytest.raises(DataError, match="'a' and 'b' have no seed in common; score both with the same seeds"):
        compare_paired(frame(a=[1.0, np.nan], b=[np.nan, 1.0]), "a", "b")


def test_a_lone_augmenter_has_no_best_other():
    assert best_others(frame(a=[1.0])) == {}


def test_there_are_no_ranks_over_no_whole_seed():
    assert average_ranks(frame(a=[1.0, np.nan], b=[np.nan, 1.0])) is None
