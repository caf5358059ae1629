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
from rareflow.evaluation.benchmark import Cell
from rareflow.workflows.benchmarking import pool
from rareflow.workflows.benchmarking.pool import compute
from rareflow.workflows.processes import Worker
from tests.workflows.benchmarking.benches import FakeBench


def cells(*names):
    return [Cell(10, seed, name) for seed, name in enumerate(names)]


def test_one_job_computes_in_this_process_one_after_the_other():
    asked = cells("RAW", "RAW", "RAW")
    found = list(compute(asked, FakeBench(), jobs=1))
    assert found == [(cell, {"results": cell.seed}) for cell in asked]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cell_is_asked_for_when_it_is_begun(jobs):
    asked, ahead = [], []
    for number, _ in enumerate(
        compute((asked.append(cell) or cell for cell in cells(*["RAW"] * 6)), FakeBench(), jobs=jobs)
    ):
        ahead.append(len(asked) - number)
    assert max(ahead) <= jobs + 1


def test_a_cell_that_fails_is_named_after_those_before_it():
    computed = compute(cells("RAW", "fails", "RAW"), FakeBench(), jobs=1)
    assert next(computed)[0].seed == 0
    with pytest.raises(DataError, match=r"^10 shots, seed 1, fails: too few rows$"):
        next(computed)


def test_a_bug_is_raised_as_it_is_and_its_cell_told(monkeypatch):
    told = []
    monkeypatch.setattr(pool, "say", told.append)
    with pytest.raises(ZeroDivisionError):
        list(compute(cells("is wrong"), FakeBench(), jobs=1))
    assert told == ["10 shots, seed 0, is wrong: FAILED"]


def test_processes_give_what_is_done_before_a_failure_and_end_with_it():
    found = []
    computed = compute(cells("RAW", "sleeps", "RAW", "fails", "RAW"), FakeBench(), jobs=2)
    with pytest.raises(DataError, match=r"^10 shots, seed 3, fails: too few rows$"):
        found.extend(iter(lambda: next(computed), None))
    assert [(cell.seed, frames) for cell, frames in found] == [(0, {"results": 0}), (2, {"results": 2})]
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_is_told_with_its_cell_and_the_remedy():
    said = r"10 shots, seed 0, dies: its process died with exit code 7, .* with fewer --jobs$"
    with pytest.raises(StoreError, match=said):
        list(compute(cells("dies", "sleeps"), FakeBench(), jobs=2))
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_closing_the_cells_ends_the_processes_in_the_middle_of_their_work():
    with closing(compute(cells("RAW", "sleeps", "sleeps"), FakeBench(), jobs=2)) as computed:
        assert next(computed)[1] == {"results": 0}
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
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from rareflow.workflows.processes import Worker\n"
        "from tests.workflows.benchmarking.benches import rest\n"
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
