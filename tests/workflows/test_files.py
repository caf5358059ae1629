from pathlib import Path

import pandas as pd
import pytest

from rareflow.errors import ConfigError, StoreError
from rareflow.workflows.files import check_writable, write_frames, write_text

FRAME = pd.DataFrame({"length": [1, 2], "pressure": [0.1, None], "result": ["a", "b"]})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "read"),
    [("t.parquet", pd.read_parquet), ("t.csv", pd.read_csv), ("t.csv.gz", pd.read_csv)],
)
def test_a_table_is_written_as_its_ending_says(name, read, tmp_path):
    path = check_writable(str(tmp_path / name))
    assert names(tmp_path) == [], "a check writes nothing"
    write_frames([FRAME], path)
    pd.testing.assert_frame_equal(read(path), FRAME)
    assert names(tmp_path) == [name]
    assert path.read_bytes().startswith({"t.csv.gz": b"\x1f\x8b", "t.csv": b"length"}.get(name, b"PAR1"))


def test_a_file_is_as_readable_as_any_other_of_this_user(tmp_path):
    write_text("a", tmp_path / "ours")
    (tmp_path / "other").write_text("a")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_what_stood_there_is_replaced_only_when_the_new_file_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("old")

    def half(_frame, target, **_options):
        target.write("half a ta")
        assert path.read_text() == "old"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    with pytest.raises(
        StoreError, match=r"cannot be written \(No space left on device\); what stood there is unch"
    ):
        write_frames([FRAME], path)
    assert path.read_text() == "old"
    monkeypatch.undo()
    write_frames([FRAME], path)
    assert path.read_text().startswith("length")
    assert names(tmp_path) == ["t.csv"]


def test_an_ending_that_is_no_tables_is_refused():
    with pytest.raises(ConfigError, match=r"--out 't\.xlsx' must end in \.parquet, \.csv, \.csv\.gz"):
        check_writable("t.xlsx")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"must be a folder and '.*' a file in it"):
        check_writable(str(tmp_path / "none" / "t.csv"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
def test_a_folder_in_which_no_file_can_be_made_is_refused():
    with pytest.raises(StoreError, match=r"cannot be written .*; give a folder that you may write"):
        check_writable("/proc/t.csv")
