"""Tables read frame by frame through the commands; a frame is tiny here, so that small tables are large."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from rareflow.data import source
from rareflow.data.survey import Survey
from tests.workflows.commands import rareflow


@pytest.fixture
def tiny_frames(monkeypatch):
    monkeypatch.setattr(source, "BATCH_ROWS", 50)


@pytest.fixture
def table(folder):
    """Two Parquet files of the simulated pipeline in a folder of their own, one with an infinite value."""
    assert rareflow("prepare", "--rows", 600, "--out", "made.parquet").code == 0
    frame = pd.read_parquet("made.parquet")
    frame["measurement"] = frame["measurement"].mask(np.arange(600) == 400, np.inf)
    (folder / "days").mkdir()
    frame.iloc[:250].to_parquet("days/1.parquet", row_group_size=70)
    frame.iloc[250:].to_parquet("days/2.parquet", row_group_size=70)
    return ("--data", "days", "--recipe", "gas-pipeline", "--infinities", "missing")


def test_prepare_writes_the_same_table_and_card_whatever_the_frames_size(table, monkeypatch):
    assert rareflow("prepare", *table, "--out", "whole.parquet").code == 0
    held, add = [], Survey._add
    monkeypatch.setattr(source, "BATCH_ROWS", 50)
    monkeypatch.setattr(Survey, "_add", lambda self, frame: held.append(len(frame)) or add(self, frame))
    for ending in ("parquet", "csv"):
        assert rareflow("prepare", *table, "--out", f"pieces.{ending}").code == 0
    assert sum(held) == 1200
    assert max(held) == 50, "no more is held"
    whole = pd.read_parquet("whole.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet("pieces.parquet"), whole)
    assert Path("pieces.csv").read_text() == whole.to_csv(index=False)
    assert Path("pieces.parquet.md").read_text() == Path("whole.parquet.md").read_text()
    assert "'measurement' (1 rows)" in Path("pieces.parquet.md").read_text()


@pytest.mark.usefixtures("folder", "tiny_frames")
def test_a_column_that_turns_out_empty_in_the_end_leaves_the_old_file_whole():
    frame = pd.DataFrame({"x": range(200), "y": np.inf, "label": ["a", "b"] * 100})
    frame.to_parquet("t.parquet")
    Path("out.parquet").write_bytes(b"old")
    words = ("prepare", "--data", "t.parquet", "--label", "label", "--infinities", "missing")
    ended = rareflow(*words, "--out", "out.parquet")
    assert (ended.code, ended.said) == (
        2,
        ["rareflow: columns that hold no value at all: y; leave them out with --drop y"],
    )
    assert Path("out.parquet").read_bytes() == b"old"
    assert sorted(path.name for path in Path().glob("*out*")) == ["out.parquet"]


@pytest.mark.usefixtures("tiny_frames")
def test_train_works_on_a_sample_and_augment_on_every_row(table, caplog):
    ended = rareflow("train", *table, "--sample-rows", 200, "--steps", 2, "--class-rows", 30)
    assert ended.code == 0
    said = "A sample of 200 of 600 rows (--sample-rows): random rows were left out, "
    assert any(said in line for line in ended.progress)
    assert "Failed to log model config" not in caplog.text, "an option has the name of one of the model's"
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["1"], "attributes.run_name = 'train gas-pipeline'")
    card = Path(client.download_artifacts(run.info.run_id, "data_card.md")).read_text()
    assert said in card
    assert "- Rows: 200" in card
    assert run.data.params["sample_rows"] == "200"

    model = next(word for word in ended.out.split() if word.startswith("models:/"))
    files = {}
    for rows, name in ((50, "pieces"), (10**6, "whole")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source, "BATCH_ROWS", rows)
            words = ("--class-rows", 100, "--mark", "forged", "--out", f"{name}.parquet")
            ended = rareflow("augment", *table, "--model", model, *words)
        assert ended.code == 0
        files[name] = pd.read_parquet(f"{name}.parquet")
    pd.testing.assert_frame_equal(files["pieces"], files["whole"])
    own = files["whole"][~files["whole"]["forged"]]
    assert len(own) == 600, "augment leaves no row out"
    largest = own["result"].value_counts().max()
    counts = files["whole"]["result"].value_counts()
    assert counts.min() == min(100, largest)
    assert f"Wrote {len(files['whole']):,} rows" in ended.out
    assert not [line for line in ended.progress if "other units" in line]

    made = pd.read_parquet("made.parquet")
    made.assign(setpoint=made["setpoint"] * 1e9).to_parquet("units.parquet")
    words = ("--label", "result", "--class-rows", 100, "--out", "apart.parquet")
    ended = rareflow("augment", "--data", "units.parquet", "--model", model, *words)
    (line,) = [line for line in ended.progress if "other units" in line]
    assert "Column 'setpoint' is from " in line
