from types import SimpleNamespace

import pytest

from rareflow.workflows.benchmarking import cells
from rareflow.workflows.benchmarking.cells import tell_part, tell_parts
from rareflow.workflows.benchmarking.plan import Cell


@pytest.fixture
def told(monkeypatch):
    lines = []
    monkeypatch.setattr(cells, "say", lines.append)
    return lines


def asked(*keys):
    return [Cell(shots, seed, name) for shots, seed in keys for name in ("RAW", "SMOTE")]


def test_each_part_but_the_first_is_told_when_its_first_cell_is_begun(told):
    wanted = asked((10, 0), (10, 1), (None, 1))
    so_far = [(cell, len(told)) for cell in tell_parts(wanted, SimpleNamespace(repeats=2))]
    assert so_far == list(zip(wanted, (0, 0, 1, 1, 2, 2), strict=True))
    assert told == [
        f"{part}: scoring the table as it is on 2 inner splits ..."
        for part in ("10 shots, seed 1", "all rows, seed 1")
    ]
    assert list(tell_parts([], SimpleNamespace(repeats=2))) == []


def test_one_split_is_told_as_one(told):
    tell_part(Cell(5, 0, "RAW"), SimpleNamespace(repeats=1))
    assert told == ["5 shots, seed 0: scoring the table as it is on 1 inner split ..."]
