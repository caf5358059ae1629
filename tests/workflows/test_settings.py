import os

import pytest

from rareflow.workflows import settings
from rareflow.workflows.settings import limit_threads


@pytest.mark.parametrize(
    ("jobs", "n_threads", "is_told"),
    [(1, 4, False), (4, 1, False), (9, 1, False), (2, 3, True), (1, 5, True)],
)
@pytest.mark.usefixtures("folder")
def test_more_threads_than_cores_are_told_where_they_would_wait_for_each_other(
    monkeypatch, jobs, n_threads, is_told
):
    told = []
    monkeypatch.setattr(settings, "say", told.append)
    monkeypatch.setattr(settings, "threadpool_limits", lambda _: None)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    limit_threads(n_threads, jobs=jobs)
    expected = f"--jobs {jobs} with --n-threads {n_threads} is more threads than the 4 cores here"
    assert [line.startswith(expected) for line in told] == [True] * is_told
