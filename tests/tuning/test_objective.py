from dataclasses import astuple, replace

import numpy as np
import pandas as pd
import pytest
import torch

import rareflow.tuning.objective
from rareflow.data.schema import Schema
from rareflow.data.splits import Split, inner_splits
from rareflow.data.table import Table
from rareflow.errors import DivergedError
from rareflow.evaluation.balance import new_rows
from rareflow.evaluation.detectors import DETECTORS, evaluate_detectors
from rareflow.generators.estimators import fit_together
from rareflow.tuning.objective import Objective
from rareflow.tuning.space import Candidate

TINY = {"steps": 3, "hidden_dim": 64, "latent_dim": 4, "n_critic": 1, "sampling": "residual"}
FORGING = Candidate(TINY, {"few": 50, "rare": 700})


def table(rows=200, seed=0):
    """Make a table of three classes, of 170, 22 and 8 rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["many", "few", "rare"], [rows - 30, 22, 8])
    rng.shuffle(y)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=rows) + (y == "few"),
            "whole": rng.integers(0, 50, rows).astype(np.int16),
            "kind": pd.Categorical(np.array(["a", "b", "c"])[rng.integers(0, 3, rows)]),
            "label": y,
        }
    )
    return Table(frame, Schema.infer(frame.drop(columns="label")), "label")


def objective(given=None, *, detectors=("dt",), repeats=2, seed=5):
    given = given or table()
    splits = inner_splits(given, "random", repeats=repeats, seed=1)
    return Objective(given, splits, seed, device="cpu", detectors=detectors)


def with_other_test_rows(given, split):
    """Put other values and labels into the rows that test: what remains is the inner training part."""
    frame = given.frame.copy()
    frame.loc[split.test, ["x", "whole"]] *= -3
    frame.loc[split.test, "kind"] = "c"
    frame.loc[split.test, "label"] = frame.loc[split.test, "label"].to_numpy()[::-1]
    return replace(given, frame=frame)


def test_the_generator_never_sees_a_row_outside_the_inner_training_rows():
    given = table()
    original = objective(given, repeats=1)
    changed = replace(original, table=with_other_test_rows(given, original.splits[0]))
    assert not changed.table.frame.equals(given.frame)
    forged = [
        next(each.repeats(FORGING)).generator.sample("rare", 50, random_state=0)
        for each in (original, changed)
    ]
    pd.testing.assert_frame_equal(*forged, check_exact=True)


def test_raw_is_the_detectors_on_the_plain_table():
    own = objective(detectors=DETECTORS)
    for i, (found, split) in enumerate(zip(own.repeats(Candidate()), own.splits, strict=True)):
        train, test = own.table.take(split.train), own.table.take(split.test)
        plain = evaluate_detectors(
            train.X, train.labels, test.X, test.labels, labels=list(own.table.class_counts), seed=5 + i
        )
        assert found.generator is None
        assert list(found.scores) == list(DETECTORS)
        for name, scores in found.scores.items():
            assert scores.summary() == plain[name].summary()
            np.testing.assert_array_equal(scores.confusion, plain[name].confusion)
        assert found.value == np.mean([scores.macro_f1 for scores in plain.values()])
        assert found.seconds > 0


def test_a_forging_candidate_trains_the_detectors_on_the_grown_inner_training_part(monkeypatch):
    seen = []

    def evaluate(X, y, test_X, test_y, **how):
        seen.append((X, y, test_X, test_y, how))
        return evaluate_detectors(X, y, test_X, test_y, **how)

    monkeypatch.setattr(rareflow.tuning.objective, "evaluate_detectors", evaluate)
    own = objective()
    assert [found.generator.random_state for found in own.repeats(FORGING)] == [5, 6]
    for i, (split, (X, y, test_X, test_y, how)) in enumerate(zip(own.splits, seen, strict=True)):
        train, test = own.table.take(split.train), own.table.take(split.test)
        counts = new_rows(train.class_counts, FORGING.class_rows)
        assert len(X) == len(y) == len(train) + sum(counts.values())
        assert {name: int((y[len(train) :] == name).sum()) for name in counts} == counts
        pd.testing.assert_frame_equal(X.iloc[: len(train)], train.X)
        pd.testing.assert_frame_equal(test_X, test.X)
        np.testing.assert_array_equal(test_y, test.labels)
        assert how["seed"] == 5 + i


def test_classes_that_have_their_rows_are_scored_as_raw_and_no_generator_is_trained():
    enough, steps = Candidate(TINY, {"few": 15, "rare": 0}), []
    found = list(objective().repeats(enough, on_step=lambda *step: steps.append(step)))
    assert [each.value for each in found] == [each.value for each in objective().repeats(Candidate())]
    assert [each.generator for each in found] == [None, None]
    assert steps == []


def test_same_seed_same_values_and_another_seed_another_generator():
    first, again = ([found.value for found in objective().repeats(FORGING)] for _ in range(2))
    assert first == again
    rows = [
        next(objective(seed=seed).repeats(FORGING)).generator.sample("rare", 9, random_state=0)
        for seed in (5, 6)
    ]
    assert not rows[0].equals(rows[1])


def test_the_values_are_those_of_the_repeats():
    own = objective()
    assert own.values(FORGING) == [found.value for found in own.repeats(FORGING)]


def test_the_ratio_of_test_to_training_rows_is_the_mean_of_the_splits():
    halves, tenth = Split(np.arange(100), np.arange(100, 200)), Split(np.arange(180), np.arange(180, 198))
    assert Objective(table(), [halves, tenth], 0).test_ratio == pytest.approx(0.55)


def test_every_step_is_told_and_an_exception_there_stops_the_training():
    steps = []
    list(objective().repeats(FORGING, on_step=lambda repeat, step: steps.append((repeat, step.step))))
    assert steps == [(repeat, step) for repeat in (0, 1) for step in (1, 2, 3)]

    def stop(_repeat, step):
        raise DivergedError(f"step {step.step}")

    with pytest.raises(DivergedError, match="step 1"):
        list(objective().repeats(FORGING, on_step=stop))


def test_the_detectors_of_each_split_are_heard_of_cheapest_first_and_given_in_their_own_order():
    heard, own = [], objective(detectors=DETECTORS)
    for found in own.repeats(FORGING, on_score=heard.append):
        assert list(found.scores) == list(DETECTORS)
        assert [id(each) for each in heard] == [id(found.scores[name]) for name in ("dt", "xgb", "rf")]
        heard.clear()
    assert own.cheapest_first == ("dt", "xgb", "rf")
    assert objective(detectors=("x.Y", "rf", "dt")).cheapest_first == ("dt", "x.Y", "rf")


def test_the_order_of_the_fits_is_no_part_of_a_value(monkeypatch):
    values = [each.value for each in objective(detectors=DETECTORS).repeats(FORGING)]
    monkeypatch.setattr(rareflow.tuning.objective, "_CHEAP", ())
    assert [each.value for each in objective(detectors=DETECTORS).repeats(FORGING)] == values


def test_an_exception_after_a_detector_spares_those_that_follow(monkeypatch):
    fitted = []
    monkeypatch.setattr(
        "rareflow.evaluation.detectors.fit_predict",
        lambda name, _train, _codes, test, **_: fitted.append(name) or np.zeros(len(test), dtype=int),
    )

    def stop(_scores):
        raise DivergedError("enough")

    with pytest.raises(DivergedError, match="enough"):
        list(objective(detectors=DETECTORS).repeats(FORGING, on_score=stop))
    assert fitted == ["dt"]


def test_where_nothing_is_forged_each_split_is_scored_once_and_all_is_told_again(monkeypatch):
    own, calls = objective(), []

    def evaluate(*parts, **how):
        calls.append(how["seed"])
        return evaluate_detectors(*parts, **how)

    monkeypatch.setattr(rareflow.tuning.objective, "evaluate_detectors", evaluate)
    told = [[], []]
    found = [
        [each.value for each in own.repeats(candidate, on_score=heard.append)]
        for candidate, heard in zip((Candidate(), Candidate(TINY, {"few": 15})), told, strict=True)
    ]
    assert found[0] == found[1]
    assert [each.macro_f1 for each in told[0]] == [each.macro_f1 for each in told[1]]
    assert calls == [5, 6]
    list(own.repeats(FORGING))
    assert calls == [5, 6, 5, 6]


def test_a_split_by_itself_is_worth_what_it_is_among_all():
    together = [each.value for each in objective().repeats(FORGING)]
    assert [objective().repeat(FORGING, i) for i in (1, 0)] == together[::-1]


def test_on_a_gpu_the_generators_of_all_splits_are_trained_at_once_before_the_first_is_scored(monkeypatch):
    alone = [found.generator.history_ for found in objective().repeats(FORGING)]
    monkeypatch.setattr(rareflow.tuning.objective, "training_device", lambda _name: torch.device("cuda"))
    steps = []
    found = objective().repeats(FORGING, on_step=lambda repeat, step: steps.append((repeat, step.step)))
    first = next(found)
    assert steps == [(repeat, step) for step in (1, 2, 3) for repeat in (0, 1)]
    for expected, each in zip(alone, [first, *found], strict=True):
        for one, other in zip(expected, each.generator.history_, strict=True):
            assert astuple(other) == pytest.approx(astuple(one), rel=1e-3)


def test_a_gpu_that_cannot_hold_the_generators_together_trains_them_one_by_one(monkeypatch):
    alone = [found.value for found in objective().repeats(FORGING)]

    def fit(generators, tables, **how):
        if len(generators) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fit_together(generators, tables, **how)

    monkeypatch.setattr(rareflow.tuning.objective, "training_device", lambda _name: torch.device("cuda"))
    monkeypatch.setattr(rareflow.tuning.objective, "fit_together", fit)
    assert [found.value for found in objective().repeats(FORGING)] == alone
    monkeypatch.setattr(rareflow.tuning.objective, "fit_together", lambda *_args, **_how: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(objective().repeats(FORGING))


def test_on_a_gpu_a_candidate_that_forges_nothing_trains_nothing(monkeypatch):
    monkeypatch.setattr(rareflow.tuning.objective, "training_device", lambda _name: torch.device("cuda"))
    assert [found.generator for found in objective().repeats(Candidate())] == [None, None]


def test_a_split_is_scored_only_when_it_is_asked_for():
    found = objective(repeats=2).repeats(Candidate())
    next(found)
    found.close()
    assert list(found) == []
