import multiprocessing
import os
import sqlite3
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from rareflow.errors import StoreError
from rareflow.tracking.spooling.channel import Channel
from rareflow.tracking.spooling.spool import SPOOL, Spool, SpooledRun, spooled_runs
from rareflow.tracking.upload import remove

pytestmark = pytest.mark.fault

CHILD = {"mlflow.parentRunId": "of-the-server"}


def write(number):
    place = SpooledRun(Spool(Path(SPOOL)), f"run-{number}", 1000 + number, CHILD)
    place.client.log_metric(place.run_id, "number", number)
    place.client.set_terminated(place.run_id)
    place.close()


def names():
    """What another process would find: nothing that hangs on a connection of this one."""
    with closing(sqlite3.connect(f"{SPOOL}/mlflow.db")) as found:
        return [name for (name,) in found.execute("SELECT name FROM runs ORDER BY start_time")]


def test_a_spool_that_cannot_be_written_is_not_announced_and_what_is_lost_is_said(caplog):
    Path(SPOOL).write_text("in the way")
    channel = Channel("http://bob:s3cret@127.0.0.1:9", "1", name="study", start_time=1, tags={})
    with pytest.raises(StoreError) as caught:
        channel.spooled()
    said = str(caught.value)
    assert said.startswith("the tracking server 'http://***@127.0.0.1:9' does not answer, and ")
    assert (
        f"'{Path(SPOOL).absolute()}', where run study would go on, cannot be written ([Errno 17] File" in said
    )
    assert "is lost; free that place" in said
    assert caplog.messages == []


def test_without_a_spool_nothing_is_in_it():
    assert spooled_runs("of-the-server") == []
    assert not Path(SPOOL).exists()


def test_several_processes_make_one_spool_and_write_to_it_at_once():
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(write, range(6)))
    assert names() == [f"run-{number}" for number in range(6)]
    assert [run.info.run_name for run in spooled_runs("of-the-server")] == names()
    assert spooled_runs("another") == []


def test_a_process_may_write_to_a_new_spool_after_its_first_was_removed():
    write(0)
    remove(Spool(Path(SPOOL)))
    assert not Path(SPOOL).exists()
    write(1)
    assert names() == ["run-1"]


def test_a_spool_that_is_written_to_is_not_uploaded_and_its_upload_is_waited_for():
    spool = Spool(Path(SPOOL))
    place = SpooledRun(spool, "open", 1, CHILD)
    with pytest.raises(BlockingIOError):
        spool.seize()
    place.close()
    uploading = spool.seize()
    with pytest.raises(BlockingIOError):
        spool.seize()
    writer = threading.Thread(target=write, args=[2])
    writer.start()
    writer.join(0.5)
    assert writer.is_alive()
    remove(spool)
    os.close(uploading)
    writer.join(60)
    assert names() == ["run-2"]
