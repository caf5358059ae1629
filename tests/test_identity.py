import os
import platform
import signal
import subprocess
import sys

from rareflow import identity
from rareflow.identity import here, is_gone


def test_this_process_is_here_and_not_gone():
    assert here()[0].split(":")[0] == platform.node()
    assert here()[1] == os.getpid()
    assert not is_gone(*here())


def test_a_process_that_ended_is_gone_even_before_its_parent_asks_after_it():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert not is_gone(here()[0], process.pid)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(here()[0], process.pid)
    process.wait()
    assert is_gone(here()[0], process.pid)


def test_of_a_process_in_another_container_with_this_host_s_name_nothing_is_known(monkeypatch, tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    monkeypatch.setattr(identity, "_NAMESPACE", tmp_path)
    host, number = here()
    assert host == f"{platform.node()}:{tmp_path.stat().st_ino}"
    assert number == os.getpid()
    assert is_gone(host, process.pid)
    monkeypatch.setattr(identity, "_NAMESPACE", tmp_path / "not Linux")
    assert here()[0] == platform.node()
    assert not is_gone(host, process.pid)


def test_of_a_process_on_another_host_nothing_is_known():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert not is_gone("elsewhere", process.pid)
