import doctest
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import rareflow
from rareflow.cli import app, main

README_PATH = Path(__file__).parents[1] / "README.md"
README = README_PATH.read_text(encoding="utf-8")


DOCS = [file.read_text(encoding="utf-8") for file in sorted((README_PATH.parent / "docs").glob("*.md"))]


def blocks(language, page=README):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


def rareflow_lines(page=README):
    lines = [line for block in blocks("sh", page) for line in block.splitlines()]
    return [line for line in lines if line.startswith("rareflow ")]


@pytest.mark.parametrize("line", [line for page in (README, *DOCS) for line in rareflow_lines(page)])
def test_every_rareflow_line_of_readme_and_docs_is_a_command_with_options_that_exist(line):
    _, name, *words = shlex.split(line, comments=True)
    command = typer.main.get_command(app).commands[name]
    command.make_context(name, words)


def test_the_readme_names_every_command():
    assert {shlex.split(line, comments=True)[1] for line in rareflow_lines()} == set(
        typer.main.get_command(app).commands
    )


@pytest.mark.parametrize("name", ["run", "test"])
def test_the_two_commands_are_marked_once_and_are_one_line_each(name):
    found = re.findall(
        rf"^<!-- command: {name} -->\n```sh\n(.*?)```$", README, flags=re.DOTALL | re.MULTILINE
    )
    assert len(found) == 1
    assert found[0].count("\n") == 1


def test_the_python_of_the_readme_runs_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(SystemExit) as end:
        main(["tune", "--rows", "600", "--n-trials", "2", "--repeats", "1", "--tune-rows", "300"])
    assert not end.value.code
    names = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own text


def test_the_example_of_the_package_runs():
    failed, tried = doctest.testmod(rareflow)
    assert tried
    assert not failed


def test_the_table_of_results_is_what_the_committed_results_say():
    path = README_PATH.parent / "experiments" / "summary.py"
    spec = importlib.util.spec_from_file_location("summary", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.markdown() in README


@pytest.mark.parametrize("script", ["summary", "ablation", "fresh_seeds", "tuning", "drift", "fixed_amounts"])
def test_what_is_read_below_in_the_experiments_is_what_the_committed_results_say(script):
    folder = README_PATH.parent / "experiments"
    command = [sys.executable, str(folder / f"{script}.py"), "--report"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.strip() in (folder / "README.md").read_text(encoding="utf-8")
