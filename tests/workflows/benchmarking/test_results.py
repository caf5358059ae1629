import json
import re

import pytest

from rareflow.errors import ConfigError, StoreError
from rareflow.workflows.benchmarking.plan import Cell
from rareflow.workflows.benchmarking.results import Results, read_facts, read_frames
from tests.workflows.benchmarking.folders import CELLS, FACTS, frames_of

FILES = ("results.csv", "classes.csv", "fidelity.csv")


def fill(folder, cells=CELLS):
    with Results(folder, FACTS) as results:
        for cell in cells:
            results.add(frames_of(cell))
        results.sort()
    return folder


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def test_the_cells_that_were_added_are_there_when_it_is_opened_again(tmp_path):
    with Results(fill(tmp_path / "out"), FACTS) as results:
        assert results.seconds == dict.fromkeys(CELLS, 1.5)


def test_a_folder_says_what_its_results_are_about_without_a_path(tmp_path):
    folder = fill(tmp_path / "deep" / "out")
    assert read_facts(folder) == FACTS
    assert not any(str(tmp_path) in path.read_text() for path in folder.iterdir())


def test_files_cut_at_any_line_or_within_one_hold_whole_cells_only(tmp_path):
    whole = contents(fill(tmp_path))
    for name in ("results.csv", "classes.csv"):
        for cut in (1, 25, 80, 150, 200, 260, 420, len(whole[name]) - 1):
            for file, text in whole.items():
                (tmp_path / file).write_bytes(text if file != name else text[:cut])
            with Results(tmp_path, FACTS) as results:
                done = set(results.seconds)
                for cell in CELLS:
                    if cell not in done:
                        results.add(frames_of(cell))
                results.sort()
            assert len(done) < len(CELLS)
            assert contents(tmp_path) == whole


def test_lines_that_a_dead_process_left_of_an_unfinished_cell_are_dropped(tmp_path):
    whole = contents(fill(tmp_path, CELLS[:3]))
    frames = frames_of(CELLS[3])
    with Results(tmp_path, FACTS) as results:
        results.add(
            {"fidelity": frames["fidelity"], "classes": frames["classes"], "results": frames["results"][:1]}
        )
    assert contents(tmp_path) != whole
    assert set(read_frames(tmp_path)["results"]["seed"]) == {0, 1}
    assert len(read_frames(tmp_path)["results"]) == 6, "a report sees whole cells only"
    with Results(tmp_path, FACTS) as results:
        assert set(results.seconds) == set(CELLS[:3])
    assert contents(tmp_path) == whole


def test_the_order_in_which_cells_come_does_not_matter(tmp_path):
    assert contents(fill(tmp_path / "a")) == contents(fill(tmp_path / "b", CELLS[::-1]))


def test_fewer_shots_come_first_all_rows_last_and_augmenters_as_in_the_registry(tmp_path):
    cells = [
        Cell(shots, 0, name)
        for shots in (None, 100, 25)
        for name in ("a stranger", "rareflow", "SMOTE", "RAW")
    ]
    frame = read_frames(fill(tmp_path, cells))["results"]
    assert list(dict.fromkeys(frame["shots"])) == ["25", "100", "all"]
    assert list(dict.fromkeys(frame["augmenter"])) == ["RAW", "SMOTE", "rareflow", "a stranger"]
    assert list(frame["detector"][:2]) == ["xgb", "dt"]


def test_frames_are_read_with_shots_as_text_and_figures_as_numbers(tmp_path):
    frames = read_frames(fill(tmp_path))
    assert set(frames) == {"results", "classes", "fidelity"}
    assert set(frames["results"]["shots"]) == {"10", "all"}
    assert frames["results"]["macro_f1"].max() == pytest.approx(0.61)


def test_one_process_at_a_time_may_write(tmp_path):
    with (
        Results(tmp_path, FACTS),
        pytest.raises(
            StoreError, match=r"another process works in --out .*; wait for it, or choose another folder"
        ),
        Results(tmp_path, FACTS),
    ):
        pass
    with Results(tmp_path, FACTS):
        pass


def test_the_run_is_remembered(tmp_path):
    with Results(tmp_path, FACTS) as results:
        assert results.run_id == ""
        results.run_id = "first"
        results.run_id = "second"
    with Results(tmp_path, FACTS) as results:
        assert results.run_id == "second"


READ = "--label, --drop, --recipe, --categorical, --infinities, --rare-classes"
OTHERS = {
    "digest": ("fff", "another digest", f"--data, {READ}, --rows, --sample-rows and --seed"),
    "split": ("grouped", "another split ('random', here 'grouped')", "--split"),
    "test_size": (0.2, "another test size (0.3, here 0.2)", "--test-size"),
    "test_digest": (
        "fff",
        "another test digest",
        f"--test, --unseen-classes, {READ}, --sample-rows and --seed",
    ),
    "detectors": (["dt"], "another detectors (['xgb', 'dt'], here ['dt'])", "--detectors"),
    "repeats": (3, "another repeats", "--repeats"),
    "fidelity": (False, "another fidelity", "--fidelity"),
}


@pytest.mark.parametrize("fact", OTHERS)
def test_results_of_another_table_or_protocol_are_refused_with_the_remedy(fact, tmp_path):
    value, said, option = OTHERS[fact]
    before = contents(fill(tmp_path))
    with pytest.raises(ConfigError) as refused:
        Results(tmp_path, FACTS | {fact: value})
    assert said in str(refused.value)
    assert str(refused.value).endswith(f"; choose another folder, or the {option} that it was made with")
    assert contents(tmp_path) == before


def test_a_folder_without_a_whole_cell_takes_other_facts_and_forgets_lines_and_run_of_the_first(tmp_path):
    frames = frames_of(CELLS[0])
    with Results(tmp_path, FACTS) as results:
        results.run_id = "first"
        results.add({"classes": frames["classes"], "results": frames["results"][:1]})
    # By the new facts what was half written would be whole.
    others = FACTS | {"detectors": ["xgb"], "split": "grouped"}
    with Results(tmp_path, others) as results:
        assert results.run_id == ""
        assert results.seconds == {}
    assert read_facts(tmp_path) == others
    with Results(tmp_path, others) as results:
        assert results.seconds == {}


NOTED = FACTS | {"test_notes": ["7 rows were left out."]}


@pytest.mark.parametrize(
    ("held", "given"), [(FACTS, NOTED), (FACTS | {"test_notes": ["another"]}, NOTED), (NOTED, FACTS)]
)
def test_what_was_left_out_of_a_test_part_refuses_no_results_and_is_not_forgotten(held, given, tmp_path):
    with Results(tmp_path, held) as results:
        results.run_id = "a run"
        results.add(frames_of(CELLS[0]))
    before = contents(tmp_path)
    assert Results(tmp_path, given).seconds == {CELLS[0]: 1.5}
    assert read_facts(tmp_path) == held
    with Results(tmp_path, given) as results:
        assert (results.run_id, results.seconds) == ("a run", {CELLS[0]: 1.5})
    assert read_facts(tmp_path) == NOTED
    assert contents(tmp_path) == before


def test_what_is_there_is_known_before_the_folder_is_opened_and_opening_writes_nothing_twice(tmp_path):
    fill(tmp_path, CELLS[:2])
    assert Results(tmp_path, FACTS).seconds == dict.fromkeys(CELLS[:2], 1.5)
    before = contents(tmp_path)
    with Results(tmp_path, FACTS) as results:
        results.run_id = "a run"
    with Results(tmp_path, FACTS) as results:
        assert results.run_id == "a run"
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["classes.csv", "fidelity.csv"])
def test_a_missing_file_is_named_and_nothing_is_lost(name, tmp_path):
    fill(tmp_path)
    (tmp_path / name).unlink()
    before = contents(tmp_path)
    said = rf"holds results\.csv but no {re.escape(name)}, which belongs to it; bring it back, or choose"
    with pytest.raises(ConfigError, match=said):
        Results(tmp_path, FACTS)
    with pytest.raises(ConfigError, match=said):
        read_frames(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("fidelity", [True, False])
def test_a_benchmark_that_forges_no_row_lacks_no_file(fidelity, tmp_path):
    for _ in range(2):
        with Results(tmp_path, FACTS | {"fidelity": fidelity}) as results:
            if not results.seconds:
                results.add(frames_of(Cell(10, 0, "RAW")))
    assert set(read_frames(tmp_path)) == {"results", "classes"}


def test_results_of_another_format_can_only_go_elsewhere(tmp_path):
    fill(tmp_path)
    with pytest.raises(ConfigError, match=r"another format \(1, here 2\); choose another folder$"):
        Results(tmp_path, FACTS | {"format": 2})


def test_results_that_do_not_say_of_what_are_refused(tmp_path):
    fill(tmp_path)
    (tmp_path / "benchmark.json").unlink()
    with pytest.raises(ConfigError, match=r"holds results but no benchmark\.json to say of what"):
        Results(tmp_path, FACTS)
    with pytest.raises(ConfigError, match=r"holds no benchmark\.json, so no results"):
        read_frames(tmp_path)


def test_a_broken_description_is_refused(tmp_path):
    (tmp_path / "benchmark.json").write_text("{")
    with pytest.raises(ConfigError, match="is no JSON"):
        Results(tmp_path, FACTS)


@pytest.mark.parametrize("facts", ["[]", "{}", '"fidelity"'])
def test_a_description_of_something_else_is_refused(facts, tmp_path):
    (tmp_path / "benchmark.json").write_text(facts)
    with pytest.raises(ConfigError, match=r"json' says nothing of a benchmark; choose another --out"):
        Results(tmp_path, FACTS)


def test_a_file_holds_no_results(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file' holds no benchmark\.json, so no results"):
        read_frames(tmp_path / "file")


def test_a_folder_without_a_whole_cell_has_nothing_to_report(tmp_path):
    with Results(tmp_path, FACTS):
        pass
    assert json.loads((tmp_path / "benchmark.json").read_text()) == FACTS
    with pytest.raises(ConfigError, match="holds no whole cell yet; leave out --report-only"):
        read_frames(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match=r"cannot be written \(Not a directory\); give a folder"),
        Results(tmp_path / "file" / "out", FACTS),
    ):
        pass
