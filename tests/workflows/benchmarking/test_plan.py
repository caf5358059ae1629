import pytest

from rareflow.errors import ConfigError
from rareflow.evaluation.augmenters.registry import known_augmenters
from rareflow.workflows.benchmarking.plan import BenchmarkSettings, Cell, cells_of, parse_shots


def settings(*, shots=("all",), seeds=1, augmenters=(), detectors=("dt",)):
    return BenchmarkSettings(shots, seeds, augmenters, detectors, 2, 1, "benchmark", fidelity=True)


def test_shots_are_numbers_in_order_and_all_rows_last():
    assert parse_shots(["all", "100", "5", "5"]) == (5, 100, None)


@pytest.mark.parametrize("word", ["0", "-1", "ten", "1.5", "ALL"])
def test_other_shots_are_refused(word):
    with pytest.raises(ConfigError, match=f"--shots '{word}' is neither a number from 1 nor all"):
        settings(shots=("10", word))


def test_cells_come_by_shots_then_seed_then_augmenter():
    how = settings(shots=("all", "10"), seeds=2, augmenters=("SMOTE", "RAW", "SMOTE"))
    assert cells_of(how, 3) == [
        Cell(shots, seed, name) for shots in (10, None) for seed in (3, 4) for name in ("SMOTE", "RAW")
    ]


def test_every_augmenter_that_is_known_is_compared_where_none_is_named():
    assert [cell.augmenter for cell in cells_of(settings(seeds=1), 0)] == list(known_augmenters())


@pytest.mark.parametrize("option", ["shots", "detectors"])
def test_an_empty_list_is_refused(option):
    with pytest.raises(ConfigError, match=f"--{option} names none; give at least one"):
        settings(**{option: ()})


def test_an_unknown_augmenter_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match="'SMOOTH' is unknown; choose among RAW, "):
        settings(augmenters=("SMOOTH",))


def test_a_cell_is_known_by_its_values():
    assert len({Cell(10, 0, "RAW"), Cell(10, 0, "RAW"), Cell(None, 0, "RAW")}) == 2
