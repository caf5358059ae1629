import copy
import pickle

import pytest

from rareflow.errors import ConfigError, DivergedError, SpooledError
from rareflow.tracking.outage import ServerAwayError
from rareflow.workflows.processes import named

ERRORS = [
    ConfigError("a\nb"),
    DivergedError("diverged", [{"step": 1.0}]),
    SpooledError("away", result="scores"),
    ServerAwayError("http://head:5000", "Timeout"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_whole_from_another_process_and_may_be_given_a_task_s_name(error):
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own
        assert type(same) is type(error)
        assert str(same) == str(error)
        assert vars(same) == vars(error)
    told = str(error)
    renamed = named("task 3", error)
    assert type(renamed) is type(error)
    assert str(renamed) == f"task 3: {told}"
    assert vars(renamed) == vars(error)
    assert str(error) == told
