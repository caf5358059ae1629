import pytest

from rareflow.errors import ConfigError
from rareflow.evaluation.benchmark import Cell
from rareflow.workflows.benchmarking import report as report_module
from rareflow.workflows.benchmarking.report import write_report
from rareflow.workflows.benchmarking.results import Results
from tests.workflows.benchmarking.folders import CELLS, FACTS, frames_of


def reported(folder, cells=CELLS, **facts):
    """The report on cells, what the screen shows of it, and the figures."""
    with Results(folder, FACTS | facts) as results:
        for cell in cells:
            results.add(frames_of(cell))
    shown = write_report(folder)
    return (folder / "report.md").read_text(), shown, {path.name for path in (folder / "figures").iterdir()}


@pytest.fixture
def without_figures(monkeypatch):
    """They take a second each time."""
    monkeypatch.setattr(report_module, "_figures", lambda _frames: iter(()))


def section(report, name):
    return report.split(f"## {name}\n")[1].split("\n## ")[0]


def test_a_report_has_a_section_for_each_number_of_shots_and_links_every_figure(tmp_path):
    report, shown, figures = reported(tmp_path)
    assert [line for line in report.splitlines() if line.startswith("#")] == [
        "# Benchmark: gas-pipeline",
        "## 10 shots",
        "## All rows",
    ]
    assert figures == {"scarcity.png"} | {
        f"{name}-{shots}.png" for name in ("forest-raw", "forest-best", "classes") for shots in ("10", "all")
    }
    assert all(report.count(f"](figures/{name})") == 1 for name in figures)
    assert "| SMOTE | 60.50 ± 0.71 | +10.00 [+10.00, +10.00] | 0.5 | RAW |" in report
    assert "| DOS | 3 | 50.5 | 60.5 |" in report
    assert "| SMOTE | 0.25 | 1.5 |" in report
    assert "| SMOTE | DOS | 20 | 0.750 |" in report
    assert shown.startswith("10 shots:\n| augmenter | macro F1, % |")


@pytest.mark.usefixtures("without_figures")
def test_a_report_says_how_its_figures_came_about(tmp_path):
    report, _, _ = reported(tmp_path)
    assert (
        "309 rows in 2 classes (digest `0123456789ab`); a random split for each seed, test size 0.3" in report
    )
    assert "on 2 inner splits of the training part, at most 5,000 rows of it" in report
    report, _, _ = reported(
        tmp_path / "test", test_digest="f", test_class_counts={"DOS": 1200}, test_size=None, simulated=True
    )
    assert "(simulated: no row was measured); an official test part of 1,200 rows; seeds: 2." in report


@pytest.mark.usefixtures("without_figures")
def test_the_papers_figures_stand_beside_those_of_all_rows_of_the_same_real_data(tmp_path):
    report, _, _ = reported(tmp_path / "gas")
    assert "published" not in section(report, "10 shots")
    assert "| *SMOTE, published* | 62.32 | 61.82 | 61.35 | 62.39 | 61.82 | 61.15 |" in section(
        report, "All rows"
    )
    assert (
        "RAW XGB (precision 60.87, recall 60.12, F1 61.49), RAW RF (precision 59.47, recall 61.03" in report
    )
    assert "published" not in reported(tmp_path / "simulated", simulated=True)[0]
    assert "published" not in reported(tmp_path / "other", table="kdd")[0]
    assert "Table 3" in reported(tmp_path / "cic", table="cic-ids-2017")[0]


@pytest.mark.parametrize("names", [("RAW",), ("SMOTE",), ("RAW", "SMOTE")])
def test_one_seed_and_one_number_of_shots_can_be_reported(names, tmp_path):
    report, _, figures = reported(tmp_path, [Cell(10, 0, name) for name in names])
    assert "Too few seeds or augmenters to test whether all rank alike." in report
    assert "seeds: 1." in report
    assert all(f"(figures/{name})" in report for name in figures)


def test_augmenters_with_different_seeds_can_be_reported(tmp_path):
    report, _, _ = reported(tmp_path, [*CELLS, Cell(10, 7, "WGAN")])
    assert "seeds: 1 to 2." in report
    assert "| WGAN | 57.00 ± - | - | - | - | - | - | - |" in section(report, "10 shots")


def test_an_empty_folder_is_refused_and_left_empty(tmp_path):
    with pytest.raises(ConfigError, match="run the benchmark there first"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
