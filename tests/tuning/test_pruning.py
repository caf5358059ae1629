import optuna
import pytest

from rareflow.tuning.pruning import PrefixPruner

MEANS = [0.5, 0.6, 0.7, 0.8]  # quartiles 0.575, 0.65, 0.725


def study_of(*reports):
    """Make a study whose complete trials have reported so, step by step."""
    study = optuna.create_study(pruner=PrefixPruner(3), direction="maximize")
    for means in reports:
        steps = dict(enumerate(means))
        study.add_trial(optuna.trial.create_trial(value=means[-1], intermediate_values=steps))
    return study


def is_pruned(study, *means):
    trial = study.ask()
    for step, mean in enumerate(means):
        trial.report(mean, step)
    return trial.should_prune()


def constant(mean, steps=9):
    return [mean] * steps


@pytest.mark.parametrize("scores", [1, 2, 4, 5, 7, 8])
def test_within_a_split_the_worst_quarter_is_pruned(scores):
    study = study_of(*map(constant, MEANS))
    assert is_pruned(study, *constant(0.57, scores))
    assert not is_pruned(study, *constant(0.58, scores))


@pytest.mark.parametrize("scores", [3, 6])
def test_after_a_split_the_worse_half_is_pruned(scores):
    study = study_of(*map(constant, MEANS))
    assert is_pruned(study, *constant(0.64, scores))
    assert not is_pruned(study, *constant(0.66, scores))


def test_a_trial_is_compared_where_it_stands_and_not_by_the_best_that_it_once_was():
    study = study_of(*map(constant, MEANS))
    assert is_pruned(study, *constant(0.9, 5), 0.64)
    assert not is_pruned(study, *constant(0.1, 5), 0.66)


def test_others_are_compared_by_their_means_of_the_same_scores():
    study = study_of(*([mean - 0.4, mean - 0.2, *constant(mean, 7)] for mean in MEANS))
    assert not is_pruned(study, 0.18)
    assert not is_pruned(study, 0.18, 0.38)
    assert is_pruned(study, 0.18, 0.38, 0.58)


def test_an_equal_of_all_is_not_pruned():
    study = study_of(*map(constant, [0.7] * 4))
    assert not is_pruned(study, *constant(0.7, 1))
    assert not is_pruned(study, *constant(0.7, 3))


def test_four_complete_trials_must_have_come_so_far_and_pruned_ones_do_not_count():
    study = study_of(*map(constant, MEANS[:3]))
    for mean in (0.9, 0.95):
        study.add_trial(
            optuna.trial.create_trial(
                value=mean, intermediate_values={0: mean}, state=optuna.trial.TrialState.PRUNED
            )
        )
    study.add_trial(optuna.trial.create_trial(value=0.9))
    assert not is_pruned(study, 0.1)
    study.add_trial(optuna.trial.create_trial(value=0.9, intermediate_values={0: 0.9}))
    assert is_pruned(study, 0.1)


def test_a_trial_that_has_reported_nothing_goes_on():
    assert not is_pruned(study_of(*map(constant, MEANS)))
