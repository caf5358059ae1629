"""What processes share of a study besides its trials, which the end-to-end tests run."""

import pytest

from rareflow.errors import ConfigError
from rareflow.tuning.space import Candidate
from rareflow.workflows.workers import means_in_processes
from tests.tuning.test_objective import FORGING, TINY, objective


def test_finalists_scored_in_processes_are_worth_what_they_are_in_this_one_to_the_last_bit():
    own, candidates = objective(), [Candidate(), FORGING, Candidate(TINY, {"few": 60})]
    assert means_in_processes(own, candidates, jobs=2) == [own.mean(each) for each in candidates]


def test_a_finalist_that_cannot_be_scored_ends_with_its_split_and_the_reason():
    wrong = Candidate(TINY | {"latent_dim": 0}, {"few": 60})
    with pytest.raises(ConfigError, match="fresh split 1: latent_dim=0 must be"):
        means_in_processes(objective(repeats=1), [Candidate(), wrong], jobs=2)
