import numpy as np
import pandas as pd
import pytest

from rareflow.errors import DataError
from rareflow.evaluation.fidelity import MIN_ROWS
from rareflow.evaluation.privacy import PRIVACY, privacy_by_class
from tests.evaluation.test_fidelity import mixed


def normal(rows, seed, columns=5):
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, columns)))


def privacy(train, held_out, forged, *, seed):
    """The measures of one class."""
    parts = (train, held_out, forged)
    labelled = [each for part in parts for each in (part, np.full(len(part), "a", dtype=object))]
    found = privacy_by_class(*labelled, seed=seed)
    return found.loc["a"].drop(["train_rows", "held_out_rows", "forged_rows"]).to_dict()


def copies(train, rows):
    return privacy(train, rows, rows, seed=0)["copies"]


def near_copies(train, rows):
    return privacy(train, rows, rows, seed=0)["near_copies"]


def membership_auc(*parts, seed=0):
    return privacy(*parts, seed=seed)["membership_auc"]


def test_copies_of_the_training_rows_are_found_by_every_measure():
    train = mixed(200, 0)
    found = privacy(train, mixed(200, 1), train.sample(frac=1, random_state=0), seed=0)
    assert tuple(found) == PRIVACY
    assert (found["copies"], found["near_copies"]) == (1, 1)
    assert (found["copies_held_out"], found["near_copies_held_out"]) == (0, 0)
    assert found["membership_auc"] > 0.95


def test_fresh_draws_give_nothing_away():
    found = [privacy(normal(300, i), normal(300, i + 50), normal(300, i + 90), seed=i) for i in range(5)]
    assert {each["copies"] for each in found} == {0}
    assert max(each["near_copies"] for each in found) < 0.01
    assert np.mean([each["membership_auc"] for each in found]) == pytest.approx(0.5, abs=0.03)


def test_fresh_draws_of_few_distinct_rows_copy_as_held_out_rows_do_and_give_nothing_away():
    train, held_out, forged = (
        pd.DataFrame(np.random.default_rng(i).integers(0, 3, (300, 3))) for i in range(3)
    )
    found = privacy(train, held_out, forged, seed=0)
    assert found["copies"] == found["copies_held_out"] == 1
    assert found["membership_auc"] == pytest.approx(0.5, abs=0.05)


def test_rows_next_to_the_training_rows_are_near_but_no_copies_and_give_them_away():
    train = normal(200, 0)
    found = privacy(train, normal(200, 1), train + 1e-4 * normal(200, 2), seed=0)
    assert found["copies"] == 0
    assert found["near_copies"] == 1
    assert found["membership_auc"] > 0.95


def test_a_few_copies_among_many_fresh_rows_are_counted_exactly():
    train = normal(100, 0)
    forged = pd.concat([train[:5], normal(95, 1)])
    assert copies(train, forged) == 0.05
    assert near_copies(train, forged) == pytest.approx(0.05, abs=0.02)


def test_copies_are_near_in_the_largest_classes_too():
    train = normal(25_000, 0, columns=1)
    spread = train.assign(y=np.arange(25_000.0) * 10)
    assert near_copies(spread, spread[::50]) == 1


@pytest.mark.parametrize("rows", [400, 4_000, 20_000])
def test_near_is_a_tenth_of_the_distance_to_the_nearest_other_training_row_however_many_there_are(rows):
    # So that the space has them in equal distances: their median is 0, half of them are within 1 of it.
    evenly = np.linspace(-2, 2, rows) * np.arcsinh(1)
    train, apart = pd.DataFrame({"x": np.sinh(evenly)}), evenly[1] - evenly[0]
    for share, near in ((0.09, 1), (0.11, 0)):
        moved = pd.DataFrame({"x": np.sinh(evenly + share * apart)})
        assert near_copies(train, moved) == pytest.approx(near, abs=0.01), share


def test_every_column_counts_for_a_copy_missing_values_and_dtypes_do_not():
    train = pd.DataFrame({"x": [1, 2], "c": pd.Categorical(["a", None])})
    rows = pd.DataFrame({"c": ["a", None, "b"], "x": [1.0, 2.0, 1.0]})
    assert copies(train, rows) == pytest.approx(2 / 3)


def test_without_rows_there_is_no_share_of_them():
    found = privacy(normal(20, 0), normal(0, 1), normal(20, 2), seed=0)
    assert np.isnan([found["copies_held_out"], found["near_copies_held_out"]]).all()
    assert not np.isnan([found["copies"], found["near_copies"]]).any()


@pytest.mark.parametrize("few", range(3))
def test_too_few_rows_of_any_kind_allow_no_attack(few):
    parts = [normal(MIN_ROWS - (i == few), i) for i in range(3)]
    assert np.isnan(membership_auc(*parts))


def test_the_fewest_rows_allow_an_attack():
    parts = [normal(MIN_ROWS, i) for i in range(3)]
    assert 0 <= membership_auc(*parts) <= 1


def test_too_few_distinct_training_rows_have_no_typical_distance_but_copies():
    train = normal(MIN_ROWS - 1, 0).sample(50, replace=True, random_state=0)
    assert np.isnan(near_copies(train, train))
    assert copies(train, train) == 1


def test_a_class_of_equal_rows_gives_no_member_away():
    same = pd.DataFrame({"x": [1e38] * 20, "c": ["a"] * 20})
    assert membership_auc(same, same, same) == 0.5


def test_the_order_of_rows_and_columns_and_the_names_change_nothing():
    train, held_out, forged = mixed(60, 0), mixed(60, 1), pd.concat([mixed(60, 0)[:20], mixed(40, 2)])
    names = list(reversed(train.columns))
    plain = privacy(train, held_out, forged, seed=0)
    turned = privacy(
        train[::-1], held_out[names], forged.sample(frac=1, random_state=0).reset_index(drop=True), seed=0
    )
    renamed = [part.set_axis(range(8), axis=1) for part in (train, held_out, forged)]
    assert turned == pytest.approx(plain, abs=0.02)
    assert privacy(*renamed, seed=0) == plain


def test_same_seed_same_figures_with_more_rows_than_are_looked_at():
    parts = [normal(900, i) for i in range(3)]
    assert privacy(*parts, seed=1) == privacy(*parts, seed=1)
    assert membership_auc(*parts, seed=1) != membership_auc(*parts, seed=2)


def test_each_forged_class_has_its_row_and_its_support():
    X, y = mixed(60, 0), np.repeat(["b", "a", "c"], [30, 29, 1]).astype(object)
    held_out, test_y = mixed(40, 1), np.repeat(["a", "b"], 20).astype(object)
    forged, labels = mixed(40, 2), np.repeat(["c", "a"], 20).astype(object)
    found = privacy_by_class(X, y, held_out, test_y, forged, labels, seed=0)
    assert list(found.index) == ["a", "c"]
    assert found[["train_rows", "held_out_rows", "forged_rows"]].to_numpy().tolist() == [
        [29, 20, 20],
        [1, 0, 20],
    ]
    assert found.loc["a", PRIVACY].to_dict() == privacy(X[30:59], held_out[:20], forged[20:], seed=0)
    assert found.loc["c", ["copies", "copies_held_out"]].isna().tolist() == [False, True]
    assert found.loc["c", ["near_copies", "membership_auc"]].isna().all()


def test_a_missing_column_is_refused():
    with pytest.raises(DataError, match="column 0 of the real rows is missing"):
        membership_auc(normal(20, 0), normal(20, 1), normal(20, 2).drop(columns=0))
