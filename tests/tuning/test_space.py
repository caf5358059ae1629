import inspect

import optuna
import pytest

from rareflow.generators.estimators import VAEWGANGP
from rareflow.generators.training_config import TrainingConfig
from rareflow.tuning import space
from rareflow.tuning.space import (
    CLASS_ROWS_CHOICES,
    Candidate,
    default_candidate,
    params_of,
    space_key,
    suggest,
)
from tests.tuning.fakes import COUNTS


def draw(n=20, counts=COUNTS):
    """Draw candidates, each with its trial."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(n)]
    return [(suggest(trial, counts), trial) for trial in trials]


def test_a_candidate_is_its_parameters_and_back():
    for candidate, trial in draw():
        assert params_of(candidate) == trial.params
        assert Candidate.from_params(params_of(candidate)) == candidate


def test_every_class_but_the_largest_may_grow():
    for candidate, _ in draw():
        assert list(candidate.class_rows) == ["DoS", "a b.c\u2013d"]
        assert set(candidate.class_rows.values()) <= set(CLASS_ROWS_CHOICES)
    assert default_candidate(COUNTS).class_rows == {"DoS": 700, "a b.c\u2013d": 700}


def test_the_rows_of_the_defaults_are_a_choice_beside_a_large_class_too():
    counts = {"big": 60_000, "few": 400, "rare": 9}
    assert default_candidate(counts).class_rows == {"few": 7_500, "rare": 7_500}
    drawn = {rows for candidate, _ in draw(100, counts) for rows in candidate.class_rows.values()}
    assert drawn == {*CLASS_ROWS_CHOICES, 7_500}
    assert space_key(counts) != space_key(counts | {"big": 9_000})


def test_a_class_named_like_a_parameter_is_not_taken_for_it():
    counts = {"big": 9, "noise": 3, "class_rows.noise": 2}
    for candidate, trial in draw(3, counts):
        assert set(candidate.class_rows) == {"noise", "class_rows.noise"}
        assert "noise" in candidate.generator
        assert params_of(candidate) == trial.params


@pytest.mark.parametrize(
    ("candidate", "raw"),
    [
        (Candidate(), True),
        (Candidate({"noise": 0.5}, {"a": 0, "b": 0}), True),
        (Candidate({"noise": 0.5}, {"a": 20, "b": 5}), True),
        (Candidate({"noise": 0.5}, {"most": 700}), True),
        (Candidate({"noise": 0.5}, {"a": 0, "b": 6}), False),
    ],
)
def test_what_forges_no_row_for_a_table_is_raw_there(candidate, raw):
    assert candidate.is_raw({"most": 90, "a": 20, "b": 5}) is raw


def test_each_class_may_be_left_alone():
    assert min(CLASS_ROWS_CHOICES) == 0


def test_every_knob_is_a_parameter_of_the_generator():
    known = inspect.signature(VAEWGANGP).parameters
    for candidate, _ in draw(3):
        assert set(candidate.generator) <= set(known)
        VAEWGANGP(**candidate.generator)


def test_every_candidate_is_one_that_the_generator_accepts():
    for candidate, _ in draw(50):
        names = set(inspect.signature(TrainingConfig).parameters) & set(candidate.generator)
        config = TrainingConfig(**{name: candidate.generator[name] for name in names})
        VAEWGANGP(**candidate.generator)._sampling(config)


def test_the_defaults_are_the_generators_own():
    knobs, own = default_candidate(COUNTS).generator, VAEWGANGP()
    assert own.sampling is None
    assert own._sampling(TrainingConfig())["mode"] == knobs["sampling"]
    given = own.get_params()
    assert {name: given[name] for name in knobs if name != "sampling"} == {
        name: value for name, value in knobs.items() if name != "sampling"
    }


def test_the_defaults_lie_within_the_space():
    _, trial = draw(1)[0]
    params = params_of(default_candidate(COUNTS))
    assert list(params) == list(trial.params)
    for name, distribution in trial.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(params[name])), name


def test_a_space_is_known_by_its_parameters_ranges_and_classes(monkeypatch):
    key = space_key(COUNTS)
    assert key == space_key(dict(COUNTS))
    assert key != space_key(COUNTS | {"worm": 3})
    monkeypatch.setitem(space.KNOBS, "n_critic", lambda trial, name: trial.suggest_int(name, 1, 6))
    assert key != space_key(COUNTS)
