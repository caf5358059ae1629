import csv

import pandas as pd
import pytest

from rareflow.errors import StoreError
from rareflow.workflows.benchmarking.lines import Lines

FRAME = pd.DataFrame(
    {
        "shots": ["10", "10", "all"],
        "seed": [0, 0, 1],
        "augmenter": "RAW",
        "class": ["", 'b, "c" \u2013\nd', "NA"],
        "f1": [1, None, 0.25],
    }
)
KEYS = [("10", "0", "RAW"), ("10", "0", "RAW"), ("all", "1", "RAW")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lines.csv"


def test_a_file_that_is_not_there_has_no_lines_and_reading_makes_none(path):
    lines = Lines(path)
    lines.mend(set())
    lines.sort(lambda _key: (0, 0, 0, ""))
    lines.mend(set())
    assert len(lines) == 0
    assert lines.keys == []
    assert not path.exists()


def test_what_was_appended_is_read_again_whatever_characters_it_has(path):
    Lines(path).append(FRAME)
    lines = Lines(path)
    assert lines.keys == KEYS
    pd.testing.assert_frame_equal(lines.frame(), FRAME, check_dtype=False)


def test_appending_leaves_the_lines_before_as_they_are(path):
    lines = Lines(path)
    lines.append(FRAME[:2])
    before = path.read_bytes()
    lines.append(FRAME[2:])
    assert path.read_bytes().startswith(before)
    Lines(path).append(FRAME)
    assert len(Lines(path)) == 6


def test_a_file_cut_at_any_byte_keeps_its_whole_lines_and_can_be_mended(path):
    Lines(path).append(FRAME)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        lines = Lines(path)
        assert lines.keys == KEYS[: len(lines)]
        lines.mend(set(KEYS))
        lines.append(FRAME[len(lines) :])
        assert path.read_bytes() == whole


def test_mending_drops_the_cells_that_are_not_whole(path):
    Lines(path).append(FRAME)
    Lines(path).mend({KEYS[2]})
    assert Lines(path).keys == KEYS[2:]


def test_mending_what_is_whole_writes_nothing(path):
    Lines(path).append(FRAME)
    before = path.stat().st_ino, path.stat().st_mtime_ns
    Lines(path).mend(set(KEYS))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before


def test_a_sorted_file_has_its_cells_in_order_and_their_lines_as_they_were(path):
    Lines(path).append(FRAME)
    lines = Lines(path)
    lines.sort(lambda key: (-int(key[1]), 0, 0, ""))
    lines.mend(set(KEYS))
    with path.open(newline="") as file:
        assert [row[3] for row in csv.reader(file)] == ["class", "NA", "", 'b, "c" \u2013\nd']


def test_other_columns_are_refused_and_nothing_is_written(path):
    lines = Lines(path)
    lines.append(FRAME)
    before = path.read_bytes()
    with pytest.raises(
        StoreError, match=r"has the columns shots, seed, .*, a new cell shots, seed, augmenter;"
    ):
        lines.append(FRAME.drop(columns=["class", "f1"]))
    assert path.read_bytes() == before
