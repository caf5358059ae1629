import shutil
from math import isnan
from pathlib import Path

import pandas as pd
import pytest

from rareflow.errors import ConfigError
from rareflow.evaluation.benchmark_plots import forest_figure
from rareflow.workflows.benchmarking import report as report_module
from rareflow.workflows.benchmarking.plan import Cell
from rareflow.workflows.benchmarking.report import write_report
from rareflow.workflows.benchmarking.results import Results
from tests.workflows.benchmarking.folders import CELLS, FACTS, frames_of

NAMES = ("RAW", "SMOTE")
COMMITTED = [file.parent for file in Path(__file__).parents[3].glob("experiments/*/benchmark.json")]
OFFICIAL = {"test_digest": "f", "test_class_counts": {"DOS": 1200}, "test_size": None}


def reported(folder, cells=CELLS, frames=frames_of, **facts):
    """The report on cells, what the screen shows of it, and the figures."""
    with Results(folder, FACTS | facts) as results:
        for cell in cells:
            results.add(frames(cell))
    shown = write_report(folder)
    return (folder / "report.md").read_text(), shown, {path.name for path in (folder / "figures").iterdir()}


@pytest.fixture
def without_figures(monkeypatch):
    """They take a second each time."""
    monkeypatch.setattr(report_module, "_figures", lambda *_: iter(()))


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
    for name in ("macro", "comparison"):
        table = pd.read_csv(tmp_path / f"{name}.csv", dtype={"shots": str})
        assert list(dict.fromkeys(table["shots"])) == ["10", "all"]
        assert list(dict.fromkeys(table["augmenter"])) == [
            *("RAW", "SMOTE"),
            *(["WGAN", "VAE-WGAN-GP (paper)"] if name == "macro" else []),
        ]


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_a_committed_report_is_what_its_committed_results_say_today(folder, tmp_path):
    for file in (folder / "benchmark.json", *folder.glob("*.csv")):
        shutil.copy(file, tmp_path)
    write_report(tmp_path)
    written, committed = (
        [line for line in (each / "report.md").read_text().splitlines() if line and not line.startswith("![")]
        for each in (tmp_path, folder)
    )
    assert written == committed
    for table in ("macro.csv", "comparison.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / table), pd.read_csv(folder / table))


@pytest.mark.usefixtures("without_figures")
def test_a_report_says_how_its_figures_came_about(tmp_path):
    report, _, _ = reported(tmp_path)
    assert (
        "309 rows in 2 classes (digest `0123456789ab`); a random split for each seed, test size 0.3" in report
    )
    assert "on 2 inner splits of the training part, at most 5,000 rows of it" in report
    assert "the same for every seed" not in report
    report, _, _ = reported(tmp_path / "test", **OFFICIAL, simulated=True)
    assert "(simulated: no row was measured); an official test part of 1,200 rows; seeds of an" in report
    assert "seeds of an augmenter: 2." in report


@pytest.mark.usefixtures("without_figures")
def test_one_inner_split_is_written_as_one(tmp_path):
    assert " is best on 1 inner split of the training part, " in reported(tmp_path, repeats=1)[0]


@pytest.mark.usefixtures("without_figures")
def test_a_report_on_an_official_test_part_says_which_of_its_rows_were_left_out(tmp_path):
    notes = [
        "3 rows were left out: their class has one row in the training table.",
        "7 rows were left out: the training table has no row of their class, 'Recon' (7 rows).",
    ]
    report, _, _ = reported(tmp_path / "cut", **OFFICIAL, test_notes=notes)
    assert (
        "; an official test part of 1,200 rows (3 rows were left out: their class has one row in the "
        "training table; 7 rows were left out: the training table has no row of their class, 'Recon' (7 "
        "rows)); seeds"
    ) in report
    for folder, known in (("whole", {"test_notes": []}), ("older", {})):
        report, _, _ = reported(tmp_path / folder, **OFFICIAL, **known)
        assert "; an official test part of 1,200 rows; seeds of an augmenter: " in report


@pytest.mark.usefixtures("without_figures")
def test_forged_rows_are_of_the_seeds_that_forged_and_stand_in_the_order_of_the_other_tables(tmp_path):
    def frames(cell):
        frames = frames_of(cell)
        forged = frames_of(Cell(cell.shots, cell.seed, "SMOTE"))["fidelity"].assign(augmenter=cell.augmenter)
        has_forged = cell.augmenter == "rareflow" or cell.seed == 1
        return {name: frames[name] for name in ("results", "classes")} | (
            {"fidelity": forged} if has_forged else {}
        )

    cells = [Cell(10, seed, name) for seed in range(2) for name in ("SMOTE", "rareflow")]
    report, _, _ = reported(tmp_path, cells, frames)
    assert "beside held-out real ones, mean of the seeds in which it forged, at the amount" in report
    assert report.index("| SMOTE | DOS | 1 | 20 |") < report.index("| rareflow | DOS | 2 | 20 |")


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
    assert "seeds of an augmenter: 1." in report
    assert all(f"(figures/{name})" in report for name in figures)


def test_augmenters_with_different_seeds_can_be_reported(tmp_path):
    report, _, _ = reported(tmp_path, [*CELLS, Cell(10, 7, "WGAN")])
    assert "seeds of an augmenter: 1 to 2." in report
    assert "| WGAN | 1 | 57.00 ± - | - | - | - | - | - | - |" in section(report, "10 shots")


@pytest.mark.usefixtures("without_figures")
def test_where_all_seeds_have_the_same_data_there_is_no_interval_and_no_test_and_the_head_says_why(tmp_path):
    cells = [
        Cell(shots, seed, name) for shots in (3, 9, None) for seed in range(3) for name in (*NAMES, "WGAN")
    ]
    report, shown, _ = reported(tmp_path, cells, **OFFICIAL, class_counts={"Normal": 300, "DOS": 9})
    head = report.split("\n## ")[0]
    assert "- The test part is the same for every seed: intervals and p cover the choice of training" in head
    assert "\n- 9 shots, All rows: training and test part are the same for every seed" in head
    few, many, every = (section(report, name) for name in ("3 shots", "9 shots", "All rows"))
    assert "+10.00 [+10.00, +10.00] | 0.5 |" in few
    assert "Friedman" in few
    for text in (many, every):
        assert "| SMOTE | 61.00 ± 1.00 | +10.00 [-] | - | RAW | +10.00 [-] | - | 1.00 |" in text
        assert "Friedman" not in text
        assert "as the data are the same for every seed" in text
    assert shown.count(" (the same data for every seed: no interval, no p):\n") == 2


def test_figures_of_the_same_data_have_no_interval_either(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        report_module, "forest_figure", lambda found, _: drawn.append(found) or forest_figure(found, "")
    )
    reported(tmp_path, [cell for cell in CELLS if cell.shots is None], **OFFICIAL)
    assert len(drawn) == 2
    assert all(isnan(each.low) and isnan(each.p_holm) for found in drawn for each in found)


@pytest.mark.usefixtures("without_figures")
def test_friedmans_test_names_those_that_it_is_about(tmp_path):
    cells = [Cell(10, seed, name) for seed in range(3) for name in (*NAMES, "WGAN")]
    assert "test that all rank alike: p = " in reported(tmp_path / "all", cells)[0]
    cells.append(Cell(10, 0, "VAE"))
    said = "test that the 3 augmenters with most seeds rank alike: p = "
    assert said in reported(tmp_path / "more", cells)[0]


@pytest.mark.usefixtures("without_figures")
def test_a_class_without_a_name_and_one_with_a_bar_stand_in_the_table_of_classes(tmp_path):
    def renamed(cell):
        frames = frames_of(cell)
        names = {"DOS": "", "Normal": "a|b"}
        return frames | {"classes": frames["classes"].replace({"class": names})}

    report, _, _ = reported(tmp_path, frames=renamed, class_counts={"a|b": 300, "": 9})
    assert "|  | 3 | 50.5 | 60.5 |" in report
    assert r"| a\|b | 90 | 50.5 | 60.5 |" in report


def test_an_empty_folder_is_refused_and_left_empty(tmp_path):
    with pytest.raises(ConfigError, match="run the benchmark there first"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
