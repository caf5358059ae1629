import os
import platform
import signal
import subprocess
import sys

import pytest

from rareflow import identity
from rareflow.identity import here, is_gone


@pytest.fixture
def dead():
    """The host, the number and a birth of a process that is over."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return here()[0], process.pid, here()[2]


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def of(process):
    """Give the identity of a process of this place as it gives its own."""
    place, tick = identity._place(), identity._state_and_tick(process.pid)[1]
    return here()[0], process.pid, f"{place} {tick}"


def test_this_process_is_here_and_not_gone():
    assert here()[:2] == (platform.node(), os.getpid())
    assert here() == here()
    assert not is_gone(*here())


def test_a_process_that_ended_is_gone_even_before_its_parent_asks_after_it(child):
    found = of(child)
    assert not is_gone(*found)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(*found)
    child.wait()
    assert is_gone(*found)


def test_a_process_whose_number_a_later_one_bears_is_gone():
    host, number, birth = here()
    place, tick = birth.rsplit(" ", 1)
    assert is_gone(host, number, f"{place} {int(tick) - 1}")


def test_of_a_process_on_another_host_nothing_is_known(dead):
    assert is_gone(*dead)
    assert not is_gone("elsewhere", *dead[1:])


def test_of_a_process_of_another_boot_nothing_is_known_as_it_may_be_a_clones(dead, monkeypatch, tmp_path):
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr(identity, "_BOOT", tmp_path / "boot")
    assert here()[2].startswith("another ")
    assert not is_gone(*dead)
    assert not is_gone(dead[0], os.getpid(), dead[2])


def test_a_process_that_was_this_machines_for_certain_is_gone_if_it_was_of_another_boot(
    dead, child, monkeypatch, tmp_path
):
    host, number, birth = of(child)
    assert is_gone(host, number, f"another {birth.partition(' ')[2]}", is_ours=True)
    assert not is_gone(host, number, birth, is_ours=True)
    assert not is_gone("elsewhere", number, f"another {birth.partition(' ')[2]}", is_ours=True)
    monkeypatch.setattr(identity, "_NAMESPACE", tmp_path)
    assert not is_gone(*dead, is_ours=True), "of this boot, in another container"


def test_of_a_process_in_another_container_with_this_host_s_name_nothing_is_known(
    dead, monkeypatch, tmp_path
):
    monkeypatch.setattr(identity, "_NAMESPACE", tmp_path)
    assert here()[2].split()[1] == str(tmp_path.stat().st_ino)
    assert not is_gone(*dead)


def test_where_the_system_does_not_tell_boots_apart_nothing_is_known(dead, monkeypatch, tmp_path):
    assert not is_gone(*dead[:2]), "of a process that did not tell its birth"
    monkeypatch.setattr(identity, "_BOOT", tmp_path / "not Linux")
    assert here()[2] == ""
    assert not is_gone(*dead)
    assert not is_gone(*dead[:2])


def test_where_proc_counts_another_containers_processes_nothing_is_known(dead, monkeypatch, tmp_path):
    (tmp_path / "self").symlink_to("1")
    monkeypatch.setattr(identity, "_SELF", tmp_path / "self")
    assert here()[2] == ""
    assert not is_gone(*dead)


@pytest.mark.parametrize("answer", [None, PermissionError])
def test_a_living_process_that_proc_hides_from_other_users_is_not_gone(child, dead, answer, monkeypatch):
    def hidden(number):
        raise FileNotFoundError(f"/proc/{number}/stat")

    def kill(number, sign):
        real(number, sign)
        if answer:
            raise answer

    found, real = of(child), os.kill
    monkeypatch.setattr(identity, "_state_and_tick", hidden)
    monkeypatch.setattr(identity, "_place", lambda: found[2].rpartition(" ")[0])
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", kill)
        assert not is_gone(*found)
        assert is_gone(*dead)
