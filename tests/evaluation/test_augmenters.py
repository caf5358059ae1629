import numpy as np
import pandas as pd
import pytest

from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.errors import DataError
from rareflow.evaluation.augmenters import RowAugmenter, networks
from rareflow.evaluation.augmenters.registry import AUGMENTERS, augmenter
from rareflow.evaluation.augmenters.resampling import Smote
from rareflow.evaluation.balance import AMOUNTS, balanced_counts
from rareflow.generators.estimators import VAEWGANGP

ROW_MAKERS = AUGMENTERS[3:]
CLASSES = {"many": 60, "few": 8, "two": 2, "one": 1}


def table(seed=0):
    """Make rows of every dtype, in classes of 60, 8, 2 and 1 rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.array(list(CLASSES), dtype=object), list(CLASSES.values()))
    rng.shuffle(y)
    rows = len(y)
    pick = rng.integers(0, 2, rows)
    X = pd.DataFrame(
        {
            "float": rng.normal(size=rows) + (y == "few"),
            "single": rng.normal(size=rows).astype(np.float32),
            "tiny": rng.integers(-50, 50, rows).astype(np.int8),
            "nullable": pd.array(rng.integers(0, 9, rows), dtype="Int64"),
            "bool": rng.random(rows) < 0.5,
            "category": pd.Categorical(np.array(["x", "y"])[pick], categories=["x", "y", "z"]),
            "text": pd.Series(np.array(["S", "F"])[pick], dtype="str"),
            "object": pd.Series(np.array(["S", "F"])[pick], dtype="object"),
            "gaps": np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows)),
        }
    )
    return as_table(X, y)


def as_table(X, y):
    known = X.assign(**dict.fromkeys(X.columns[X.isna().all()], 0.0))  # as the whole table has them
    return Table(X.assign(label=y), Schema.infer(known), "label")


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    """Train for a few steps: what is tested here does not depend on how well."""

    def small(**settings):
        return VAEWGANGP(**settings | {"steps": 2, "hidden_dim": 8, "n_critic": 1, "device": "cpu"})

    monkeypatch.setattr(networks, "VAEWGANGP", small)


@pytest.fixture(scope="module")
def train():
    return table()


def fitted(name, train, seed=0):
    made = augmenter(name)
    made.fit(train, seed=seed)
    return made


def assert_equal(first, second):
    pd.testing.assert_frame_equal(first.X, second.X, check_exact=True)
    np.testing.assert_array_equal(first.y, second.y)
    np.testing.assert_array_equal(first.weight, second.weight)
    assert first.odds == second.odds


@pytest.mark.parametrize("name", AUGMENTERS)
def test_amount_0_is_the_table_itself(name, train):
    given = fitted(name, train).training_set(0.0)
    pd.testing.assert_frame_equal(given.X, train.X)
    np.testing.assert_array_equal(given.y, train.labels)
    assert given.weight is None
    assert given.odds == {}
    assert given.forged == 0


@pytest.mark.parametrize("name", ROW_MAKERS)
def test_every_class_grows_by_the_formula_below_the_real_rows_in_their_dtypes(name, train):
    maker = fitted(name, train)
    before = train.frame.copy()
    for amount in (0.25, 1.0):
        given = maker.training_set(amount)
        counts = balanced_counts(CLASSES, amount)
        assert given.forged == sum(counts.values()) == len(given.X) - len(train)
        pd.testing.assert_frame_equal(given.X.iloc[: len(train)], train.X)
        np.testing.assert_array_equal(given.y[: len(train)], train.labels)
        assert pd.Series(given.y[len(train) :]).value_counts().to_dict() == counts
        assert given.X.dtypes.equals(train.X.dtypes)
        assert given.X.index.equals(pd.RangeIndex(len(given.X)))
        assert given.y.dtype == object
        assert given.weight is None
        assert given.odds == {}
    pd.testing.assert_frame_equal(train.frame, before)


@pytest.mark.parametrize("name", AUGMENTERS)
def test_the_same_seed_gives_the_same_bits_whatever_was_asked_for_before(name, train):
    first, second = fitted(name, train), fitted(name, train)
    for amount in AMOUNTS:
        first.training_set(amount)
    assert_equal(first.training_set(0.5), second.training_set(0.5))


@pytest.mark.parametrize("name", ROW_MAKERS)
def test_another_seed_forges_other_rows(name, train):
    once, other = (fitted(name, train, seed=seed).training_set(1.0).X for seed in (0, 1))
    assert not once.equals(other)


@pytest.mark.parametrize("name", AUGMENTERS)
def test_a_second_fit_forgets_the_first(name, train):
    twice = fitted(name, table(seed=1))
    twice.fit(train, seed=0)
    assert_equal(twice.training_set(1.0), fitted(name, train).training_set(1.0))


@pytest.mark.parametrize("name", ROW_MAKERS)
def test_a_column_without_any_value_stays_so(name, train):
    given = fitted(name, as_table(train.X.assign(void=np.nan), train.labels)).training_set(0.5)
    assert given.X["void"].isna().all()


@pytest.mark.parametrize("name", ROW_MAKERS)
def test_a_balanced_table_gets_no_row(name):
    X = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8) % 3})
    assert fitted(name, as_table(X, np.repeat(["u", "v"], 4))).training_set(1.0).forged == 0


def test_rareflow_and_the_paper_go_all_the_way_and_the_others_choose():
    amounts = {name: augmenter(name).amounts for name in AUGMENTERS}
    assert amounts.pop("RAW") == (0.0,)
    assert amounts.pop("VAE-WGAN-GP (paper)") == (1.0,)
    assert amounts.pop("rareflow") == (1.0,)
    assert set(amounts.values()) == {AMOUNTS}


def test_rareflow_grows_every_class_to_the_default_rows_and_no_further():
    counts = {"big": 16_000, "mid": 2_500, "few": 900, "rare": 8}
    assert augmenter("rareflow").counts(counts, 1.0) == {"few": 1_100, "rare": 1_992}


def test_an_augmenter_forges_the_rows_that_it_counts(monkeypatch, train):
    lacking = {label: 30 - n for label, n in train.class_counts.items() if n < 30}
    monkeypatch.setattr(Smote, "counts", lambda *_: lacking)
    given = fitted("SMOTE", train).training_set(1.0)
    counts = pd.Series(given.y).value_counts()
    assert lacking
    assert all(counts[label] == max(30, n) for label, n in train.class_counts.items())


def test_class_weights_at_full_balance_give_every_class_the_weight_of_the_largest(train):
    given = fitted("class weights", train).training_set(1.0)
    sums = pd.Series(given.weight).groupby(given.y).sum()
    assert sums.to_numpy() == pytest.approx([60.0] * 4)
    assert given.forged == 0
    pd.testing.assert_frame_equal(given.X, train.X)


def test_class_weights_and_odds_are_the_growth_that_rows_would_bring(train):
    factors = {"many": 1.0, "few": 7.5**0.5, "two": 30**0.5, "one": 60**0.5}
    weights = fitted("class weights", train).training_set(0.5)
    np.testing.assert_allclose(weights.weight, [factors[label] for label in train.labels])
    assert fitted("tuned thresholds", train).training_set(0.5).odds == pytest.approx(factors)


class Careless(RowAugmenter):
    """Forges what a test tells it to."""

    name = "careless"

    def __init__(self, rows, labels):
        self.rows, self.labels = rows, labels

    def forge(self, counts):  # noqa: ARG002 - its test tells it
        return self.rows, self.labels


def simple():
    X = pd.DataFrame(
        {
            "whole": np.array([1, 2, 3, 4], dtype=np.int8),
            "flag": [True, False, True, True],
            "kind": pd.Categorical(["x", "y", "x", "x"]),
        }
    )
    return as_table(X, np.array(["a", "a", "a", "b"], dtype=object))


def forged(**columns):
    return pd.DataFrame({"whole": [1, 2], "flag": [True, False], "kind": ["x", "y"]} | columns)


def careless(rows, labels=("b", "b")):
    made = Careless(rows, np.array(labels, dtype=object))
    made.fit(simple(), seed=0)
    return made.training_set(1.0)


def test_forged_values_come_into_the_dtypes_of_the_training_part():
    rows = forged(whole=[1.6, -2.4], flag=[0.8, 0.3], extra=[0, 0])[["extra", "kind", "flag", "whole"]]
    given = careless(rows.set_axis([7, 7])).X
    assert given.dtypes.equals(simple().X.dtypes)
    assert given["whole"].tolist()[4:] == [2, -2]
    assert given["flag"].tolist()[4:] == [True, False]
    assert given["kind"].tolist()[4:] == ["x", "y"]


@pytest.mark.parametrize(
    ("column", "values", "dtype"),
    [
        ("whole", [1.0, np.nan], "int8"),
        ("whole", ["x", "y"], "int8"),
        ("whole", [1.0, 400.0], "int8"),
        ("whole", [1, 400], "int8"),
        ("flag", [1.0, np.nan], "bool"),
        ("flag", [0, 2], "bool"),
        ("kind", ["x", "never seen"], "category"),
    ],
)
def test_forged_values_of_another_kind_are_refused(column, values, dtype):
    with pytest.raises(DataError, match=f"'careless' forged values of column '{column}' that are no {dtype}"):
        careless(forged(**{column: values}))


def test_booleans_may_come_as_objects():
    given = careless(forged(flag=pd.Series([True, False], dtype=object))).X
    assert given["flag"].tolist()[4:] == [True, False]


def test_forged_rows_that_lack_a_column_are_refused():
    with pytest.raises(DataError, match="augmenter 'careless' forged rows without the column 'flag'"):
        careless(forged().drop(columns="flag"))


def test_forged_rows_and_labels_of_different_lengths_are_refused():
    with pytest.raises(DataError, match="augmenter 'careless' forged 2 rows but 1 labels"):
        careless(forged(), ["b"])


@pytest.mark.parametrize(
    ("labels", "made"),
    [
        (["b"], "1 rows of class 'b' where 2"),
        (["b", "a"], "1 rows of class 'b' where 2"),
        (["b", "b", "a"], "1 rows of class 'a' where 0"),
    ],
)
def test_other_counts_than_those_asked_for_are_refused(labels, made):
    rows = pd.concat([forged(), forged()]).iloc[: len(labels)]
    with pytest.raises(DataError, match=f"augmenter 'careless' forged {made} were asked for"):
        careless(rows, labels)
