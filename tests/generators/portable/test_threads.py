"""Laws of the threads that draw."""

import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from rareflow.generators.portable.threads import _threads
from tests.generators.tables import mixed, untrained

X, Y = mixed()


def generator_of(**settings):
    return untrained(X, Y, **settings)[0]


def test_blas_has_its_threads_back_when_the_last_of_several_batches_is_drawn_or_left():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    wanted = pd.DataFrame({"label": ["rare"], "count": [2 * 65_536]})
    with threadpool_limits(3, "blas"):
        before = threads()
        first, second = (generator_of().batches(wanted, seed=0) for _ in range(2))
        next(first)
        next(second)
        assert set(threads()) == {1}
        first.close()
        assert set(threads()) == {1}
        list(second)
        assert threads() == before


@pytest.mark.parametrize(
    ("given", "cores", "threads"), [("3,2", 9, 3), ("", 2, 2), ("no", None, 1), ("0", 64, 1)]
)
def test_threads_are_as_many_as_openmp_is_given_or_a_core_each(monkeypatch, given, cores, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert _threads() == threads
