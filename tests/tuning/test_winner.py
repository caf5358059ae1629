import pytest

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


def two_best(study):
    forging = [trial for trial in study.trials if trial.params]
    return sorted(forging, key=lambda trial: -trial.value)[:2]


def test_the_fresh_score_decides_between_the_two_best_of_the_study(storage):
    study = done(storage, 4, noise)
    first, second = two_best(study)
    heard = []
    fresh = FakeObjective(lambda candidate: 0.9 - 0.5 * noise(candidate))
    winner = choose(study, fresh, on_score=lambda *score: heard.append(score))
    assert first.value > second.value
    assert winner.trial == second.number
    assert winner.candidate == Candidate.from_params(second.params)
    assert winner.val_macro_f1 == fresh.mean(winner.candidate)
    assert winner.raw_macro_f1 == 0.9
    assert [name for name, _ in heard] == ["RAW", f"trial {first.number}", f"trial {second.number}"]
    assert max(value for name, value in heard if name != "RAW") == winner.val_macro_f1


def test_the_better_in_the_study_wins_a_draw_on_the_fresh_splits(storage):
    study = done(storage, 4, noise)
    winner = choose(study, FakeObjective(lambda candidate: 0.5 if candidate.generator else 0.4))
    assert winner.trial == two_best(study)[0].number


@pytest.mark.parametrize(("raw", "augment"), [(0.4, True), (0.5, False), (0.6, False)])
def test_forged_rows_are_recommended_where_raw_is_beaten(storage, raw, augment):
    study = done(storage, 2, noise)
    winner = choose(study, FakeObjective(lambda candidate: 0.5 if candidate.generator else raw))
    assert winner.augment is augment
    assert winner.candidate == default_candidate(COUNTS)


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
    assert winner.val_macro_f1 == winner.raw_macro_f1 == 0.4
    assert not winner.augment


def test_a_study_in_which_nothing_beside_raw_is_complete_is_refused(storage):
    study = done(storage, 1, noise)
    with pytest.raises(StoreError) as caught:
        choose(study, FakeObjective())
    assert str(caught.value) == (
        "study 'study' holds no complete trial beside RAW; raise --n-trials, or see why its other "
        "trials failed"
    )
