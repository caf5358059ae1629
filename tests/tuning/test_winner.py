import pytest
from optuna.trial import TrialState

from rareflow.errors import StoreError
from rareflow.tuning.space import Candidate, default_candidate, params_of
from rareflow.tuning.study import enqueue_references, open_study
from rareflow.tuning.winner import choose
from rareflow.tuning.work import work
from tests.tuning.fakes import COUNTS, FakeObjective, Recorder


def done(storage, n_trials, score):
    study = open_study(storage, "study", seed=0)
    enqueue_references(study, COUNTS)
    work(study, FakeObjective(score), n_trials, Recorder())
    return study


def noise(candidate):
    return candidate.generator.get("noise", 0.0)


def best_beside_the_defaults(study):
    """The two best of the trials that were drawn."""
    return sorted((trial for trial in study.trials if trial.number > 1), key=lambda trial: -trial.value)[:2]


def scored(study, values):
    """A fresh objective that gives values on three splits by trial number; 0 is RAW."""

    def score(candidate):
        return values[next(n for n in values if Candidate.from_params(study.trials[n].params) == candidate)]

    return FakeObjective(score)


def test_raw_the_defaults_and_the_two_best_trials_are_scored_again(storage):
    study = done(storage, 7, lambda candidate: 1 - noise(candidate))
    assert sum(trial.state == TrialState.COMPLETE for trial in study.trials) == 7
    first, second = best_beside_the_defaults(study)
    heard = []
    fresh = scored(study, {0: 0.5, 1: 0.6, first.number: 0.8, second.number: 0.7})
    winner = choose(study, fresh, on_score=lambda *score: heard.append(score))
    assert [name for name, _ in heard] == [
        "RAW",
        "trial 1 (default)",
        f"trial {first.number}",
        f"trial {second.number}",
    ]
    assert [value for _, value in heard] == pytest.approx([0.5, 0.6, 0.8, 0.7])
    assert (winner.trial, winner.candidate) == (first.number, Candidate.from_params(first.params))
    assert (winner.val_macro_f1, winner.raw_macro_f1) == pytest.approx((0.8, 0.5))
    assert winner.is_recommended


@pytest.mark.parametrize(
    ("finalist", "is_chosen"),
    [
        ([0.61, 0.71, 0.81], True),  # a lead of the same size on each split is no chance
        ([0.60, 0.70, 0.80], False),
        ([0.90, 0.65, 0.75], False),  # 0.067, of which one split has it all: standard error 0.176
        ([0.75, 0.74, 0.80], False),  # 0.063, standard error 0.068; 0.045 if the splits had no row in common
        ([0.78, 0.75, 0.82], True),  # 0.083, standard error 0.074
    ],
)
def test_a_trial_replaces_the_defaults_if_it_leads_them_by_a_standard_error(finalist, is_chosen, storage):
    study = done(storage, 4, noise)
    first, second = best_beside_the_defaults(study)
    fresh = scored(study, {0: 0.1, 1: [0.6, 0.7, 0.8], first.number: finalist, second.number: 0.2})
    assert choose(study, fresh).trial == (first.number if is_chosen else 1)


def test_the_better_in_the_study_wins_a_draw_where_the_defaults_are_behind(storage):
    study = done(storage, 4, noise)
    first, second = best_beside_the_defaults(study)
    fresh = scored(study, {0: 0.1, 1: 0.3, first.number: 0.5, second.number: 0.5})
    assert choose(study, fresh).trial == first.number


@pytest.mark.parametrize(
    ("raw", "augment", "is_clear"),
    [
        (0.4, True, True),
        (0.5, False, False),
        (0.6, False, False),
        ([0.3, 0.55, 0.5], True, False),  # a lead of 0.05, standard error 0.115
    ],
)
def test_forged_rows_are_recommended_where_raw_is_beaten_and_a_lead_within_a_standard_error_is_not_clear(
    storage, raw, augment, is_clear
):
    study = done(storage, 2, noise)
    winner = choose(study, FakeObjective(lambda candidate: 0.5 if candidate.generator else raw))
    assert (winner.is_recommended, winner.is_clear) == (augment, is_clear)
    assert winner.candidate == default_candidate(COUNTS)


def test_one_fresh_split_decides_by_itself(storage):
    study = done(storage, 2, noise)
    fresh = FakeObjective(lambda candidate: 0.5 if candidate.generator else 0.4)
    fresh.splits = range(1)
    assert choose(study, fresh).is_clear


def test_a_trial_that_grows_no_class_is_no_finalist(storage):
    study = open_study(storage, "study", seed=0)
    nothing = Candidate(default_candidate(COUNTS).generator, dict.fromkeys(list(COUNTS)[1:], 0))
    for candidate in (nothing, default_candidate(COUNTS)):
        study.enqueue_trial(params_of(candidate))
    work(study, FakeObjective(lambda candidate: 0.9 if candidate.is_raw(COUNTS) else 0.1), 2, Recorder())
    assert choose(study, FakeObjective()).trial == 1


def test_where_every_class_has_enough_rows_the_table_is_left_as_it_is(storage):
    enough = {label: 8_000 + rows for label, rows in COUNTS.items()}
    study = done(storage, 4, noise)
    winner = choose(
        study, FakeObjective(lambda candidate: 0.9 if candidate.generator else 0.4, counts=enough)
    )
    assert (winner.trial, winner.candidate) == (1, default_candidate(COUNTS))
    assert winner.val_macro_f1 == winner.raw_macro_f1 == pytest.approx(0.4)
    assert not winner.is_recommended


def test_a_study_in_which_nothing_beside_raw_is_complete_is_refused(storage):
    study = done(storage, 1, noise)
    with pytest.raises(StoreError) as caught:
        choose(study, FakeObjective())
    assert str(caught.value) == (
        "study 'study' holds no complete trial beside RAW; raise --n-trials, or see why its other "
        "trials failed"
    )
