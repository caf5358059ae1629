"""Forged rows that a Dask cluster draws for `augment`; a part has five rows here, so there are many."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from pathlib import Path
from types import SimpleNamespace

import distributed
import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest

from rareflow.errors import ConfigError, StoreError
from rareflow.generators.estimators import VAEWGANGP
from rareflow.generators.portable import PortableGenerator
from rareflow.tracking import registry
from rareflow.tracking.loading import Loaded
from rareflow.tracking.registry import log_generator
from rareflow.tracking.runs import parent_run
from rareflow.tracking.store import prepare_store
from rareflow.workflows import cluster, cluster_batches
from tests.tracking.models import changed_code
from tests.workflows.clusters import dask_cluster, dask_scheduler, dask_workers
from tests.workflows.commands import rareflow, workplace
from tests.workflows.servers import free_port

pytestmark = pytest.mark.fault

QUICK, SLOW = "models:/rareflow-small@quick", "models:/rareflow-small@slow"
AUGMENT = ("augment", "--data", "t.parquet", "--label", "kind", "--class-rows", "180", "--mark", "forged")
# A shell that starts a command in the background has it ignore Ctrl-C.
HEEDING = """\
import signal, sys
from rareflow.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main(sys.argv[1:])
"""
PARTS = 24  # of five rows, which the class of 60 lacks
SMALL = ("wanted.py", "_BATCH_ROWS = 65_536", "_BATCH_ROWS = 5")
PAUSE = (
    "generator.py",
    "        seed = np.random.SeedSequence(part",
    "        __import__('time').sleep(0.3)\n        seed = np.random.SeedSequence(part",
)


def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "pressure": np.where(rng.random(240) < 0.1, np.nan, rng.normal(8, 2, 240)),
            "length": rng.integers(10, 99, 240),
            "mode": pd.Categorical(rng.choice(["auto", "manual"], 240)),
            "kind": np.where(np.arange(240) % 4, "Normal", "DOS"),
        }
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory, empty_database):
    """A folder with a table, and a store with a model that draws quickly and one that takes its time."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copy(empty_database, folder / "mlflow.db")
    table().to_parquet(folder / "t.parquet")
    drawn = VAEWGANGP(steps=1, hidden_dim=8, filter=False, random_state=0)
    drawn.fit(table().drop(columns="kind"), table()["kind"])
    codes = {
        "quick": changed_code(folder / "quick", SMALL),
        "slow": changed_code(folder / "slow", SMALL, PAUSE),
    }
    with workplace(folder), pytest.MonkeyPatch.context() as patch:
        prepare_store("small")
        for alias, code in codes.items():
            patch.setattr(registry.portable, "__file__", code)
            with parent_run("study"):
                model = log_generator(drawn.generator_, class_rows={})
            version = mlflow.register_model(model.model_uri, "rareflow-small").version
            mlflow.MlflowClient().set_registered_model_alias("rareflow-small", alias, version)
        assert rareflow(*AUGMENT, "--model", QUICK, "--out", "local.parquet").code == 0
        assert rareflow(*AUGMENT, "--model", QUICK, "--out", "local.csv").code == 0
    return folder


@pytest.fixture
def folder(store):
    """The current folder: the store's, with an old file where rows are to be written."""
    with workplace(store):
        Path("out.parquet").write_bytes(b"old")
        yield store


def is_as_local():
    return Path("out.parquet").read_bytes() == Path("local.parquet").read_bytes()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_cluster_gives_the_files_that_one_process_does_whatever_the_number_of_workers(workers):
    with dask_cluster(workers) as address:
        distributed_ = ("--launcher", "dask", "--scheduler", address)
        for name in ("out.parquet", "out.csv"):
            ended = rareflow(*AUGMENT, "--model", QUICK, "--out", name, *distributed_)
            assert (ended.code, ended.said) == (0, [])
        threads = "1 thread to draw with" if workers == 1 else ""
        assert any(f"The Dask cluster {address} has {threads}" in line for line in ended.progress)
    assert is_as_local()
    assert Path("out.csv").read_bytes() == Path("local.csv").read_bytes()
    assert pd.read_parquet("out.parquet")["forged"].sum() == 5 * PARTS


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_what_a_killed_worker_was_in_another_one_draws(monkeypatch):
    drawn, killed = cluster_batches._drawn, []

    def killing(*words):
        for taken, frame in enumerate(drawn(*words)):
            if taken == 3:
                worker = next(each for each in watch.children() if "spawn_main" in " ".join(each.cmdline()))
                worker.kill()
                killed.append(worker.pid)
            yield frame

    monkeypatch.setattr(cluster_batches, "_drawn", killing)
    with dask_scheduler() as address, dask_workers(address, 2) as started:
        watch = psutil.Process(started.pid)
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        words = ("--out", "out.parquet", "--launcher", "dask", "--scheduler", address)
        ended = rareflow(*AUGMENT, "--model", SLOW, *words)
        assert (ended.code, ended.said) == (0, [])
        assert killed
        assert f"Worker process {killed[0]} was killed by signal 9" in Path("worker.log").read_text()
    assert is_as_local()


@pytest.mark.usefixtures("folder")
def test_a_worker_that_cannot_load_the_model_is_named_with_its_reason(empty_database):
    shutil.copy(empty_database, "other.db")
    own = f"sqlite:///{Path('other.db').absolute()}"
    with dask_scheduler() as address, dask_workers(address, 1, MLFLOW_TRACKING_URI=own):
        words = ("--out", "out.parquet", "--launcher", "dask", "--scheduler", address)
        for _ in range(2):  # the refusal is not remembered, nor a store
            ended = rareflow(*AUGMENT, "--model", QUICK, *words)
            assert ended.code == 2
            (line,) = ended.said
            assert line.startswith(
                f"rareflow: the Dask worker on {platform.node()} cannot load the generator: "
            )
            assert "(name=rareflow-small, version=1) not found" in line
    assert Path("out.parquet").read_bytes() == b"old"
    assert not list(Path().glob(".out*"))


@pytest.mark.usefixtures("folder")
def test_a_scheduler_that_does_not_answer_is_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER_S", 0.5)
    address = f"tcp://127.0.0.1:{free_port()}"
    words = ("--out", "out.parquet", "--launcher", "dask", "--scheduler", address)
    ended = rareflow(*AUGMENT, "--model", "models:/nope@champion", *words)
    assert ended.code == 2
    (line,) = ended.said
    assert line.startswith(f"rareflow: no Dask scheduler answers at --scheduler {address!r}; start `dask sch")
    assert ended.progress == []
    assert Path("out.parquet").read_bytes() == b"old"


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_ctrl_c_takes_from_the_cluster_what_is_in_flight_and_leaves_the_old_file():
    with dask_cluster(1) as address:
        words = [
            *AUGMENT,
            "--model",
            SLOW,
            "--out",
            "out.parquet",
            "--launcher",
            "dask",
            "--scheduler",
            address,
        ]
        with Path("augment.log").open("w") as log:
            process = subprocess.Popen([sys.executable, "-c", HEEDING, *words], stdout=log, stderr=log)
        try:
            with distributed.Client(address, set_as_default=False) as client:
                while not tasks(client):
                    assert process.poll() is None, Path("augment.log").read_text()
                    time.sleep(0.05)
                process.send_signal(signal.SIGINT)
                assert process.wait(60) == 130, Path("augment.log").read_text()
                assert tasks(client) == 0
        finally:
            process.kill()
            process.wait()
    assert Path("out.parquet").read_bytes() == b"old"
    assert not list(Path().glob(".out*"))


def tasks(client):
    """Count the tasks that the scheduler knows of."""
    return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("who", ["scheduler", "worker"])
def test_a_machine_with_another_rareflow_is_named(who, tmp_path):
    (tmp_path / "rareflow").mkdir()
    (tmp_path / "rareflow" / "__init__.py").touch()
    strange = {"PYTHONPATH": str(tmp_path)}
    with (
        dask_scheduler(**(strange if who == "scheduler" else {})) as address,
        dask_workers(address, 1, **(strange if who == "worker" else {})),
        distributed.Client(address, set_as_default=False) as client,
    ):
        client.wait_for_workers(1, timeout=60)
        words = ("--out", "out.parquet", "--launcher", "dask", "--scheduler", address)
        ended = rareflow(*AUGMENT, "--model", QUICK, *words)
    assert ended.code == 2
    (line,) = ended.said
    assert line.startswith(f"rareflow: the Dask {who} tcp://127.0.0.1:")
    assert "cannot run this version of rareflow (" in line


class Cluster:
    """A client that does nothing but count; the threads change as parts are taken."""

    def __init__(self, threads, error=None):
        self.threads, self.error = threads, error
        self.submitted = self.taken = self.most = 0

    def nthreads(self):
        return {"tcp://a:1": self.threads[min(self.taken, len(self.threads) - 1)], "tcp://b:1": 0}

    def submit(self, _function, _source, part, *, pure):
        assert not pure, "equal parts of two requests are two parts"
        self.submitted += 1
        self.most = max(self.most, self.submitted - self.taken)
        return Future(self, part)


class Future:
    def __init__(self, client, part):
        self.client, self.part = client, part

    def result(self):
        if self.client.error:
            raise self.client.error
        self.client.taken += 1
        return self.part


@pytest.mark.parametrize(("threads", "most"), [([3], 6), ([1], 2), ([0], 2), ([4, 4, 1], 8)])
def test_only_two_parts_a_thread_are_asked_for_before_theirs_is_taken(threads, most):
    client = Cluster(threads)
    given = iter(range(100))
    frames = cluster_batches._drawn(client, None, given)
    assert next(frames) == 0
    assert client.submitted == most
    assert next(given) == most + 1, "parts are read one ahead of those submitted, no more"
    assert list(frames) == [*range(1, most + 1), *range(most + 2, 100)], "in order"
    assert client.most == most
    assert client.submitted == client.taken == 99


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            CancelledError("scheduler-connection-lost"),
            "was lost (scheduler-connection-lost); mend it and run",
        ),
        (OSError("closed"), "was lost (closed); mend it and run the same command again"),
        (
            distributed.KilledWorker("part", SimpleNamespace(address="tcp://a:1"), 3),
            "was lost (Attempted to run task 'part' on 4 different workers,",
        ),
    ],
)
def test_a_cluster_that_is_lost_is_one_line(error, said):
    lost = cluster_batches._drawn(Cluster([1], error), None, [1])
    with pytest.raises(StoreError) as caught, cluster.explained("tcp://host:8786"):
        next(lost)
    assert str(caught.value).startswith(f"the Dask cluster tcp://host:8786 {said}")


def test_a_model_of_an_older_version_is_refused():
    old = Loaded(object(), {}, "models:/old/1", "")
    with (
        pytest.raises(ConfigError, match="cannot share out 'models:/old/1', which an older version"),
        cluster_batches.batches_on_cluster(old, uri="", scheduler="tcp://host:8786"),
    ):
        pass


def test_what_dask_may_log_holds_no_secret(monkeypatch):
    assert os.environ.get("MLFLOW_TRACKING_URI") is None
    made = []
    monkeypatch.setattr(cluster_batches, "_Source", lambda *words: made.append(words))
    monkeypatch.setattr(cluster_batches, "connected", lambda _: pytest.raises(KeyError))
    loaded = Loaded(PortableGenerator, {}, "models:/m/1", "00")
    with cluster_batches.batches_on_cluster(loaded, uri="http://me:secret@host/", scheduler="tcp://host:1"):
        raise KeyError
    assert made == [("http://***@host/", "models:/m/1", "00")]
