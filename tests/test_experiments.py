import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).parents[1] / "experiments"
KEY = ["shots", "seed"]
FOUND = {name: SimpleNamespace(macro_f1=0.123456) for name in ("xgb", "rf", "dt")}


@pytest.fixture
def cells_of():
    spec = importlib.util.spec_from_file_location("cells", FOLDER / "cells.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.Cells


def test_a_cell_is_lacking_until_it_is_there(tmp_path, cells_of):
    file = tmp_path / "found.csv"
    cells = cells_of(file, KEY)
    assert cells.lacks("all", 0)
    cells.add(("all", 0), FOUND)
    assert file.read_text() == "shots,seed,detector,macro_f1\n" + "".join(
        f"all,0,{name},0.12346\n" for name in FOUND
    )
    for again in (cells, cells_of(file, KEY)):
        assert not again.lacks("all", 0)
        assert again.lacks("all", 1)
        assert again.lacks(10, 0)


@pytest.mark.parametrize("lost", [1, 3, len("10,1,dt,0.12346\n"), len("rf,0.12346\n10,1,dt,0.12346\n")])
def test_a_cell_that_was_cut_off_is_computed_anew_and_the_others_are_kept(tmp_path, cells_of, lost):
    file = tmp_path / "found.csv"
    cells = cells_of(file, KEY)
    cells.add((10, 0), FOUND)
    one = file.read_text()
    cells.add((10, 1), FOUND)
    both = file.read_text()
    file.write_text(both[:-lost])
    cells = cells_of(file, KEY)
    assert not cells.lacks(10, 0)
    assert cells.lacks(10, 1)
    assert file.read_text() == one
    cells.add((10, 1), FOUND)
    assert file.read_text() == both


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("ablation-*.csv", ["variant", "seed"]),
        ("drift.csv", ["shots", "pair", "augmenter"]),
        ("fixed-amounts-*.csv", ["shots", "seed", "variant"]),
        ("fresh-seeds-*.csv", ["shots", "seed", "augmenter"]),
    ],
)
def test_no_committed_cell_is_cut_off(tmp_path, cells_of, pattern, key):
    files = list(FOLDER.glob(pattern))
    assert files
    for file in files:
        copy = tmp_path / file.name
        copy.write_text(file.read_text())
        cells_of(copy, key)
        assert copy.read_text() == file.read_text()
