import os
import platform
import signal
import subprocess
import sys

from rareflow.processes import here, is_gone


def test_this_process_is_here_and_not_gone():
    assert here() == (platform.node(), os.getpid())
    assert not is_gone(*here())


def test_a_process_that_ended_is_gone_even_before_its_parent_asks_after_it():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert not is_gone(platform.node(), process.pid)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(platform.node(), process.pid)
    process.wait()
    assert is_gone(platform.node(), process.pid)


def test_of_a_process_on_another_host_nothing_is_known():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert not is_gone("elsewhere", process.pid)
