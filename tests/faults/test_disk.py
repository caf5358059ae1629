"""A disk that is full while a table or an artifact is written, and a folder that cannot be written."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from rareflow import VAEWGANGP
from rareflow.generators.checkpoint import Checkpoint
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store
from rareflow.workflows import evaluate
from tests.workflows.commands import rareflow, workplace

pytestmark = pytest.mark.fault

# No file may grow beyond 20 kB: the write itself fails, in the middle, in whatever library does it.
SMALL = """\
import resource, sys
from rareflow.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
main(sys.argv[1:])
"""


@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz"])
def test_a_table_whose_writing_fails_in_the_middle_leaves_the_old_one_whole(tmp_path, ending):
    out = tmp_path / f"t.{ending}"
    out.write_text("old")
    command = [sys.executable, "-W", "ignore", "-c", SMALL, "prepare", "--rows", "5000", "--out", str(out)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 2, ended.stderr
    assert f"'{out}' cannot be written (" in ended.stderr
    assert "what stood there is unchanged" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == [out.name], "nothing half written is left"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_on_a_disk_that_is_full_the_old_table_stays_and_the_message_says_so(small_disk, tmp_path):
    out = small_disk / "t.csv"
    out.write_text("old")
    with workplace(tmp_path):
        ended = rareflow("prepare", "--rows", "5000", "--out", out)
    assert ended.code == 2
    assert ended.said == [
        f"rareflow: '{out}' cannot be written (No space left on device); what stood there is unchanged"
    ]
    assert out.read_text() == "old"
    assert [path.name for path in small_disk.iterdir()] == ["t.csv"]


def fit(**params):
    X, y = pd.DataFrame({"a": range(60), "b": range(60)}), ["common", "rare"] * 30
    checkpoint = params.pop("checkpoint", None)
    return VAEWGANGP(steps=2, random_state=0, device="cpu", **params).fit(X, y, checkpoint=checkpoint)


def test_a_checkpoint_that_does_not_fit_on_the_disk_is_the_system_s_error_and_leaves_nothing(small_disk):
    with pytest.raises(OSError, match="No space left on device") as full:
        fit(checkpoint=Checkpoint(small_disk, 1))
    assert full.value.errno == errno.ENOSPC
    assert not list(small_disk.iterdir())


def test_a_generator_that_does_not_fit_on_the_disk_is_the_system_s_error(small_disk):
    generator = fit(hidden_dim=512).generator_
    with pytest.raises(OSError, match="No space left on device") as full:
        generator.save(small_disk / "generator")
    assert full.value.errno == errno.ENOSPC


def test_a_disk_full_while_artifacts_are_written_fails_the_run_in_one_line(folder, monkeypatch):
    def full(_self, _local, _path=None):
        raise OSError(errno.ENOSPC, "No space left on device", "mlruns/1")

    def work(*_args, **_options):
        prepare_store("rare")
        with parent_run("study") as run:
            run.log_metrics({"kept": 1.0})
            monkeypatch.setattr(LocalArtifactRepository, "log_artifact", full)
            run.log_text("card", "card.md")

    monkeypatch.setattr(evaluate, "run", work)
    ended = rareflow("evaluate")
    assert ended.code == 2
    assert ended.said == [
        "rareflow: mlruns/1 cannot be written (No space left on device); free or give another place to "
        "write, and run the same command again"
    ]
    (run,) = MlflowClient(f"sqlite:///{folder}/mlflow.db").search_runs(["1"])
    assert run.info.status == "FAILED"
    assert run.data.metrics["kept"] == 1.0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    with workplace(tmp_path):
        pd.DataFrame({"x": [1]}).to_csv("t.csv")
        ended = rareflow("prepare", "--data", "t.csv", "--label", "x", "--out", "/proc/t.csv")
    assert ended.code == 2
    assert ended.said[0].startswith("rareflow: --out '/proc/t.csv' cannot be written (")
    assert not [line for line in ended.progress if "Reading" in line]
