"""The house rules, held by the same command as the tests."""

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "tool",
    [
        ("ruff", "check"),
        ("ruff", "format", "--check"),
        ("mypy",),
        ("importlinter",),
    ],
    ids=" ".join,
)
def test_the_house_rule_holds(tool):
    name, *words = tool
    command = [sys.executable, "-m", name, *words]
    if name == "importlinter":
        command = [str(Path(sys.executable).with_name("lint-imports"))]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_package_tells_type_checkers_of_its_users_that_it_is_typed():
    assert (resources.files("rareflow") / "py.typed").is_file()


def test_no_large_file_is_tracked():
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    large = [name for name in files.decode().split("\0") if name and (ROOT / name).stat().st_size > 2**20]
    assert not large


def test_every_test_that_the_page_on_reliability_names_is_one_of_the_fault_suite():
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", "-m", "fault"]
    suite = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    named = re.findall(r"`(tests/[\w/]+\.py|test_\w+)`", page)
    assert named
    assert not [name for name in named if not any(name in test for test in suite)]
