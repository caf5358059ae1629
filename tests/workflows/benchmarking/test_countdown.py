import pytest

from rareflow.workflows.benchmarking.countdown import Countdown
from rareflow.workflows.benchmarking.plan import Cell


def test_nothing_is_foretold_of_an_augmenter_that_was_never_done():
    countdown = Countdown({}, jobs=2)
    left = [Cell(10, 1, "RAW"), Cell(10, 0, "VAE"), Cell(10, 1, "VAE")]
    assert countdown.left(left) == (0, 2)
    countdown.add(Cell(10, 0, "RAW"), 1.0)
    assert countdown.left(left) == (pytest.approx(0.5), 1)
    countdown.add(Cell(25, 0, "VAE"), 9.0)
    assert countdown.left(left) == (pytest.approx(9.5), 0)
    assert countdown.left([]) == (0, 0)


def test_cells_take_as_long_as_those_of_their_augmenter_and_shots_did_on_average():
    done = {
        Cell(10, 0, "RAW"): 1.0,
        Cell(10, 1, "RAW"): 3.0,
        Cell(None, 0, "RAW"): 30.0,
        Cell(10, 0, "VAE"): 50.0,
    }
    left = [Cell(10, 2, "RAW"), Cell(None, 1, "RAW")]
    assert Countdown(done, jobs=1).left(left) == (pytest.approx(2 + 30), 0)
    assert Countdown(done, jobs=2).left(left) == (pytest.approx(16), 0)


def test_with_other_shots_a_cell_takes_as_long_as_its_augmenter_elsewhere_on_average():
    done = {Cell(10, 0, "RAW"): 1.0, Cell(25, 0, "RAW"): 3.0, Cell(10, 0, "VAE"): 8.0}
    assert Countdown(done, jobs=1).left([Cell(50, 0, "RAW")]) == (pytest.approx(2), 0)
