import gzip
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from rareflow.errors import ConfigError, DataError, StoreError
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


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_table_is_the_same_file_to_the_last_byte_whatever_its_name_and_whenever_it_is_written(
    name, tmp_path, monkeypatch
):
    write_frames([FRAME], tmp_path / name)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_frames([FRAME], tmp_path / f"other-{name}")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"other-{name}").read_bytes()


def test_a_file_is_as_readable_as_any_other_of_this_user(tmp_path):
    write_text("a", tmp_path / "ours")
    (tmp_path / "other").write_text("a")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_what_stood_there_is_replaced_only_when_the_new_file_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("old")

    def half(_frame, target, **_options):
        target.write(b"half a ta")
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


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_frames_one_after_the_other_make_the_file_that_one_frame_makes(name, tmp_path):
    frame = pd.DataFrame(
        {
            "length": range(6),
            "pressure": [0.1, None, 1e300, 1.0, 2.0, 3.0],
            "whole": pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
            "mode": pd.Categorical(list("aabcbb"), categories=list("zcba")),
            "result": ["a", "b", None, "a", "a,b", "c"],
        }
    )
    for rows, folder in ((6, "whole"), (1, "pieces")):
        (tmp_path / folder).mkdir()
        frames = [frame.iloc[at : at + rows].reset_index(drop=True) for at in range(0, 6, rows)]
        write_frames(iter(frames), tmp_path / folder / name)
    if name == "t.parquet":
        whole, pieces = (pd.read_parquet(tmp_path / folder / name) for folder in ("whole", "pieces"))
        pd.testing.assert_frame_equal(pieces, whole)
        pd.testing.assert_frame_equal(pieces, frame)
        whole, pieces = (pq.read_schema(tmp_path / folder / name) for folder in ("whole", "pieces"))
        assert pieces.equals(whole, check_metadata=True)
    else:
        open_ = gzip.open if name.endswith("gz") else open
        with open_(tmp_path / "whole" / name) as whole, open_(tmp_path / "pieces" / name) as pieces:
            assert pieces.read() == whole.read()


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_an_error_or_a_stop_between_two_frames_leaves_what_stood_there_whole(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"old")

    def interrupted(problem):
        yield FRAME
        assert path.read_bytes() == b"old"
        raise problem

    for problem in (DataError("column 'length' is no good"), KeyboardInterrupt()):
        with pytest.raises(type(problem)):
            write_frames(interrupted(problem), path)
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == [name]


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


def test_a_link_leads_to_the_new_file_as_it_did_to_the_old_one(tmp_path):
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "here" / "t.csv").symlink_to(tmp_path / "there" / "table.csv")
    for frame in (FRAME, FRAME.iloc[:1]):
        write_frames([frame], check_writable(str(tmp_path / "here" / "t.csv")))
        assert (tmp_path / "here" / "t.csv").is_symlink()
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "there" / "table.csv"), frame)
    assert names(tmp_path / "here") == ["t.csv"]
    assert names(tmp_path / "there") == ["table.csv"]


def test_a_link_to_where_no_file_can_be_is_refused_before_any_work(tmp_path):
    (tmp_path / "t.csv").symlink_to(tmp_path / "nowhere" / "t.csv")
    with pytest.raises(StoreError, match=r"^--out .*t\.csv' cannot be written \(No such file or directory\)"):
        check_writable(str(tmp_path / "t.csv"))
