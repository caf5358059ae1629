import dataclasses

import numpy as np
import pandas as pd
import pytest

from rareflow.data.schema import Schema
from rareflow.data.splits import split_table
from rareflow.data.table import Table
from rareflow.errors import ConfigError, DataError
from rareflow.evaluation import benchmark
from rareflow.evaluation.augmenters import Augmenter, RowAugmenter, TrainingSet
from rareflow.evaluation.augmenters.registry import augmenter
from rareflow.evaluation.benchmark import Protocol, make_part, run_cell
from rareflow.evaluation.detectors import evaluate_detectors, mean_macro_f1

QUICK = Protocol(detectors=("dt", "sklearn.naive_bayes.GaussianNB"))


def table(seed=0, classes=None):
    """Make classes that overlap."""
    classes = classes or {"many": 200, "few": 40, "rare": 12}
    rng = np.random.default_rng(seed)
    y = np.repeat(list(classes), list(classes.values()))
    rng.shuffle(y)
    X = pd.DataFrame({"x": rng.normal(size=len(y)), "whole": rng.integers(0, 50, len(y))})
    X["x"] += np.select([y == "few", y == "rare"], [1.0, 2.0])
    return Table(X.assign(label=y), Schema.infer(X), "label")


@pytest.fixture(scope="module")
def part():
    return make_part(table(), QUICK, shots=None, seed=3)


def test_networks_train_on_the_device_that_the_protocol_names(part):
    with pytest.raises(ConfigError, match="device='neither' is none of auto, cpu, cuda"):
        run_cell(part, "WGAN", dataclasses.replace(QUICK, device="neither"))
    assert run_cell(part, "SMOTE", dataclasses.replace(QUICK, device="neither")).scores


def bits(result):
    return result.amount, {name: each.confusion.tolist() for name, each in result.scores.items()}


def test_the_outer_split_is_that_of_the_seed_and_only_its_training_side_is_cut():
    whole = table()
    split = split_table(whole, "random", test_size=0.3, seed=3)
    full, cut = (make_part(whole, QUICK, shots=shots, seed=3) for shots in (None, 5))
    assert full.train.digest == whole.take(split.train).digest
    assert full.test.digest == cut.test.digest == whole.take(split.test).digest
    assert cut.train.class_counts == {"many": 140, "few": 5, "rare": 5}


def test_with_a_test_file_the_whole_table_trains():
    whole, official = table(), table(seed=1)
    made = make_part(whole, QUICK, shots=None, seed=0, test=official)
    assert made.train is whole
    assert made.test is official


def test_inner_splits_hold_no_row_of_the_test_part_and_no_more_rows_than_allowed():
    whole = table()
    whole = dataclasses.replace(whole, frame=whole.frame.assign(whole=np.arange(len(whole))))
    made = make_part(whole, dataclasses.replace(QUICK, inner_rows=60, repeats=3), shots=None, seed=0)
    held_out = set(made.test.frame["whole"])
    assert len(made.inner) == 3
    for train, test in made.inner:
        seen = [*train.frame["whole"], *test.frame["whole"]]
        assert not held_out & set(seen)
        assert len(seen) == len(set(seen)) <= 60


def test_raws_inner_score_is_the_mean_of_the_detectors_on_the_plain_inner_splits(part):
    scores = [
        mean_macro_f1(
            evaluate_detectors(
                train.X, train.labels, test.X, test.labels,
                labels=list(part.train.class_counts), detectors=QUICK.detectors, seed=3 + i,
            )
        )
        for i, (train, test) in enumerate(part.inner)
    ]  # fmt: skip
    assert part.raw_inner == pytest.approx(np.mean(scores))


def test_raw_is_the_detectors_on_the_plain_training_part(part):
    result = run_cell(part, "RAW", QUICK)
    plain = evaluate_detectors(
        part.train.X, part.train.labels, part.test.X, part.test.labels,
        labels=["many", "few", "rare"], detectors=QUICK.detectors, seed=3,
    )  # fmt: skip
    assert bits(result) == (
        0.0,
        {name: each.confusion.tolist() for name, each in plain.items()},
    )
    assert result.forged is None
    assert result.seconds > 0


@pytest.mark.parametrize("name", ["class weights", "tuned thresholds", "SMOTE", "ADASYN"])
def test_the_same_cell_gives_the_same_bits(name, part):
    again = make_part(table(), QUICK, shots=None, seed=3)
    assert bits(run_cell(part, name, QUICK)) == bits(run_cell(again, name, QUICK))


@pytest.mark.parametrize("name", ["class weights", "tuned thresholds", "SMOTE"])
def test_every_detector_is_trained_on_the_training_set_of_the_amount_chosen(name, part):
    result = run_cell(part, name, QUICK)
    made = augmenter(name)
    made.fit(part.train, seed=3)
    given = made.training_set(result.amount)
    scores = evaluate_detectors(
        given.X, given.y, part.test.X, part.test.labels, labels=["many", "few", "rare"],
        detectors=QUICK.detectors, weight=given.weight, odds=given.odds, seed=3,
    )  # fmt: skip
    assert bits(result)[1] == {name: each.confusion.tolist() for name, each in scores.items()}


def test_nothing_that_is_chosen_or_trained_on_depends_on_the_test_part(part, monkeypatch):
    seen = []
    monkeypatch.setattr(benchmark, "evaluate_detectors", recording(seen))
    scrambled = dataclasses.replace(
        part, test=dataclasses.replace(part.test, frame=part.test.frame.assign(x=1e9, whole=-7))
    )
    for name in ("class weights", "tuned thresholds", "SMOTE", "Borderline-SMOTE"):
        tables = []
        for each in (part, scrambled):
            seen.clear()
            amount = run_cell(each, name, QUICK).amount
            tables.append((amount, [(X.to_numpy().tolist(), y.tolist(), str(how)) for X, y, how in seen]))
        assert tables[0] == tables[1]


def recording(seen):
    def evaluate(X, y, *test, weight, odds, **how):
        seen.append((X, y, (None if weight is None else weight.tolist(), odds, how)))
        return evaluate_detectors(X, y, *test, weight=weight, odds=odds, **how)

    return evaluate


class Marked(Augmenter):
    """Names its amount in the odds, so that a fake detector can tell it."""

    name = "marked"
    fits = 0

    def fit(self, train, *, seed):  # noqa: ARG002 - nothing here is random
        self.train = train
        type(self).fits += 1

    def training_set(self, amount):
        return TrainingSet(self.train.X, self.train.labels, odds={"many": 1 + amount})


@pytest.fixture
def judged(monkeypatch):
    """Let a test say how good each detector is at each amount; give the calls as they come."""
    worth, calls = {}, []

    def evaluate(_X, _y, test_X, _test_y, *, detectors, odds, **_how):
        amount = odds.get("many", 1) - 1
        calls.append((amount, tuple(detectors), len(test_X)))
        return {name: Fake(worth.get(name, {}).get(amount, 0.0)) for name in detectors}

    monkeypatch.setattr(benchmark, "evaluate_detectors", evaluate)
    monkeypatch.setattr(benchmark, "augmenter", lambda _name: Marked())
    monkeypatch.setattr(Marked, "fits", 0)
    return worth, calls


@dataclasses.dataclass
class Fake:
    macro_f1: float


BOTH = Protocol(detectors=("dt", "rf"))


def choose():
    return run_cell(make_part(table(), BOTH, shots=None, seed=0), "marked", BOTH).amount


def test_the_amount_serves_the_detectors_best_on_average(judged):
    judged[0].update({"dt": {0.25: 0.9, 1.0: 0.8}, "rf": {0.25: 0.1, 1.0: 0.8}})
    assert choose() == 1.0
    judged[0]["rf"][0.25] = 0.8
    assert choose() == 0.25


def test_of_equal_amounts_the_smaller_wins_and_noise_counts_as_equal(judged):
    judged[0].update({"dt": {0.5: 0.7, 0.75: 0.7 + 1e-10}, "rf": {0.5: 0.7, 0.75: 0.7, 1.0: 0.2}})
    assert choose() == 0.5
    judged[0].clear()
    assert choose() == 0.0


def test_every_amount_is_tried_on_each_inner_split_once_and_learning_happens_once_a_part(judged):
    worth, calls = judged
    worth.update({"dt": {0.25: 0.9}, "rf": {1.0: 0.8}})
    made = make_part(table(), BOTH, shots=None, seed=0)
    assert [amount for amount, *_ in calls] == [0, 0]
    calls.clear()
    run_cell(made, "marked", BOTH)
    assert [amount for amount, *_ in calls[:-1]] == [0.25, 0.5, 0.75, 1.0] * 2
    assert calls[-1] == (0.25, ("dt", "rf"), len(made.test))
    assert Marked.fits == 3


def test_every_inner_split_has_a_seed_of_its_own(monkeypatch):
    seen, learned = [], []
    monkeypatch.setattr(benchmark, "evaluate_detectors", recording(seen))
    monkeypatch.setattr(benchmark, "augmenter", lambda _name: Marked())
    monkeypatch.setattr(
        Marked, "fit", lambda self, train, *, seed: (learned.append(seed), vars(self).update(train=train))
    )
    run_cell(make_part(table(), QUICK, shots=None, seed=3), "marked", QUICK)
    seeds = [how["seed"] for _, _, (_, _, how) in seen]
    assert seeds == [3, 4, *[3] * 4, *[4] * 4, 3]
    assert learned == [3, 4, 3]


@pytest.mark.usefixtures("judged")
def test_where_nothing_helps_nothing_is_learned_from_the_training_part():
    assert choose() == 0.0
    assert Marked.fits == 2


def test_a_single_amount_needs_no_inner_split(judged, monkeypatch):
    monkeypatch.setattr(Marked, "amounts", (1.0,))
    made = make_part(table(), BOTH, shots=None, seed=0)
    judged[1].clear()
    assert run_cell(made, "marked", BOTH).amount == 1.0
    assert [amount for amount, *_ in judged[1]] == [1.0]


class Copies(RowAugmenter):
    """Forges at its only amount the first row of each class."""

    name = "copies"
    amounts = (0.5,)

    def forge(self, counts):
        rows = [self.X[self.y == label].iloc[[0] * new] for label, new in counts.items()]
        return pd.concat(rows), np.repeat(np.array(list(counts), dtype=object), list(counts.values()))


def test_forged_rows_of_the_final_table_are_given_alone(part, monkeypatch):
    monkeypatch.setattr(benchmark, "augmenter", lambda _name: Copies())
    rows, labels = run_cell(part, "copies", QUICK).forged
    made = Copies()
    made.fit(part.train, seed=3)
    given = made.training_set(0.5)
    assert len(rows) == len(labels) == given.forged
    pd.testing.assert_frame_equal(rows, given.X.iloc[len(part.train) :].reset_index(drop=True))
    np.testing.assert_array_equal(labels, given.y[len(part.train) :])


def test_classes_of_one_and_two_rows_are_benchmarked_like_others():
    train, official = table(classes={"many": 60, "two": 2, "one": 1}), table(classes={"many": 20, "two": 5})
    made = make_part(train, QUICK, shots=None, seed=0, test=official)
    for name in ("SMOTE", "Borderline-SMOTE", "ADASYN", "class weights", "tuned thresholds"):
        assert set(run_cell(made, name, QUICK).scores) == set(QUICK.detectors)


@pytest.mark.parametrize("split", ["grouped", "blocked"])
def test_inner_splits_are_of_the_kind_of_the_outer_one(split, monkeypatch):
    kinds = []
    real = benchmark.inner_splits
    monkeypatch.setattr(
        benchmark, "inner_splits", lambda t, kind, **how: kinds.append(kind) or real(t, kind, **how)
    )
    made = make_part(table(), dataclasses.replace(QUICK, split=split), shots=None, seed=0)
    assert kinds == [split]
    assert made.test.digest == table().take(split_table(table(), split, seed=0).test).digest


def test_a_class_of_the_test_part_only_is_refused():
    with pytest.raises(DataError, match="classes that occur in the test part only: 'few'"):
        make_part(table(classes={"many": 50, "rare": 9}), QUICK, shots=None, seed=0, test=table())


def test_an_unknown_augmenter_is_refused(part):
    with pytest.raises(ConfigError, match="augmenter 'magic' is unknown"):
        run_cell(part, "magic", QUICK)
