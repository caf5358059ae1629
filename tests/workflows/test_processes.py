import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from rareflow.errors import DataError, StoreError
from rareflow.workflows import processes
from rareflow.workflows.processes import Worker, computed
from tests.workflows.work import work


def begun(tasks, jobs):
    return computed(tasks, work, jobs=jobs, n_threads=1, name=lambda task: f"task {task}")


def test_one_job_computes_in_this_process_one_after_the_other():
    assert list(begun(["0", "1", "2"], jobs=1)) == [("0", 0), ("1", 1), ("2", 2)]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_task_is_asked_for_when_it_is_begun(jobs):
    asked, ahead = [], []
    for number, _ in enumerate(begun((asked.append(task) or task for task in "012345"), jobs)):
        ahead.append(len(asked) - number)
    assert max(ahead) <= (1 if jobs == 1 else jobs + 1)


def test_a_task_that_fails_is_named_after_those_before_it():
    found = begun(["0", "1 fails", "2"], jobs=1)
    assert next(found) == ("0", 0)
    with pytest.raises(DataError, match=r"^task 1 fails: too few rows$"):
        next(found)


def test_a_bug_is_raised_as_it_is_and_its_task_told(monkeypatch):
    told = []
    monkeypatch.setattr(processes, "say", told.append)
    with pytest.raises(ZeroDivisionError):
        list(begun(["0 is wrong"], jobs=1))
    assert told == ["task 0 is wrong: FAILED"]


def test_processes_give_what_is_done_before_a_failure_and_end_with_it():
    found = []
    tasks = begun(["0", "1 sleeps", "2", "3 fails", "4"], jobs=2)
    with pytest.raises(DataError, match=r"^task 3 fails: too few rows$"):
        found.extend(iter(lambda: next(tasks), None))
    assert found == [("0", 0), ("2", 2)]
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_is_told_with_its_task_and_the_remedy():
    with pytest.raises(
        StoreError, match=r"task 0 dies: its process died with exit code 7, .* with fewer --jobs$"
    ):
        list(begun(["0 dies", "1 sleeps"], jobs=2))
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_closing_the_tasks_ends_the_processes_in_the_middle_of_their_work():
    with closing(begun(["0", "1 sleeps", "2 sleeps"], jobs=2)) as tasks:
        assert next(tasks) == ("0", 0)
        assert len(multiprocessing.active_children()) == 2
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert multiprocessing.active_children() == []


def test_a_process_does_not_hear_ctrl_c_not_even_while_python_starts():
    worker = Worker()
    os.kill(worker.process.pid, signal.SIGINT)
    worker.send(Connection.close)
    worker.process.join()
    assert worker.process.exitcode == 0
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_process_ends_with_its_parent_also_where_that_could_tell_nobody(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from rareflow.workflows.processes import Worker\n"
        "from tests.workflows.work import rest\n"
        "if __name__ == '__main__':\n"
        "    worker = Worker()\n"
        "    worker.send(rest)\n"
        "    print(worker.process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        process = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    process.wait(timeout=40)
