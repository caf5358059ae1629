import shlex
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from rareflow.cli import app, main
from rareflow.workflows import doctor, tune, worker

ROOT = Path(__file__).parents[1]
ENTRY_POINTS = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))["entry_points"]
COMMANDS = typer.main.get_command(app).commands


def options(name):
    """The options of a command that an entry point has too, by parameter: all but those that only help."""
    return {param.name: param for param in COMMANDS[name].params if param.name not in {"debug", "help"}}


def command_of(entry_point):
    return "tune" if entry_point == "main" else entry_point


def words_of(entry_point):
    """An entry point's command as the shell would split it."""
    return shlex.split(ENTRY_POINTS[entry_point]["command"])


every_entry_point = pytest.mark.parametrize("entry_point", ENTRY_POINTS)


def test_the_entry_points_are_the_commands_and_main_is_tune():
    assert set(ENTRY_POINTS) == {*COMMANDS, "main"}
    assert ENTRY_POINTS["main"] == ENTRY_POINTS["tune"]


@every_entry_point
def test_an_entry_point_has_its_commands_parameters_with_their_types_and_defaults(entry_point):
    held = {
        name: (spec["type"], float(spec["default"]) if spec["type"] == "float" else spec["default"])
        for name, spec in ENTRY_POINTS[entry_point]["parameters"].items()
    }
    assert held == {
        name: ("string" if isinstance(option.default, str) else "float", option.default)
        for name, option in options(command_of(entry_point)).items()
    }


@every_entry_point
def test_an_entry_point_passes_every_parameter_to_its_own_option_and_nothing_else(entry_point):
    words = words_of(entry_point)
    start = ["PYTHONPATH=src", "python", "-m", "rareflow", command_of(entry_point)]
    assert words[: len(start)] == start
    passed = list(zip(words[len(start) :: 2], words[len(start) + 1 :: 2], strict=True))
    assert sorted(passed) == sorted(
        (option.opts[0], f"{{{name}}}") for name, option in options(command_of(entry_point)).items()
    )


@every_entry_point
def test_an_entry_points_defaults_are_read_as_the_commands_own(entry_point):
    defaults = {name: str(spec["default"]) for name, spec in ENTRY_POINTS[entry_point]["parameters"].items()}
    _, _, _, _, name, *words = [word.format(**defaults) for word in words_of(entry_point)]
    read = COMMANDS[name].make_context(name, words).params
    assert {key: read[key] for key in defaults} == {
        key: option.default for key, option in options(name).items()
    }


@pytest.mark.parametrize(
    ("given", "told", "used"),
    [
        ("", "", "sqlite:///optuna.db"),
        ("", "sqlite:///told.db", "sqlite:///told.db"),
        ("sqlite:///given.db", "sqlite:///told.db", "sqlite:///given.db"),
    ],
)
@pytest.mark.parametrize(
    "entry_point", [name for name, each in ENTRY_POINTS.items() if "storage" in each["parameters"]]
)
def test_an_entry_points_storage_is_the_one_given_else_the_environments_else_a_file_here(
    entry_point, given, told, used, monkeypatch
):
    heard = []
    monkeypatch.setattr(tune, "run", lambda _, how: heard.append(how.storage))
    monkeypatch.setattr(worker, "run", lambda how: heard.append(how.storage))
    monkeypatch.setattr(
        doctor, "run", lambda *, storage: heard.append(storage) or doctor.Diagnosis("", is_well=True)
    )
    monkeypatch.setenv("RAREFLOW_STORAGE", told)
    defaults = {name: str(spec["default"]) for name, spec in ENTRY_POINTS[entry_point]["parameters"].items()}
    values = defaults | ({"storage": given} if given else {})
    with pytest.raises(SystemExit) as end:
        main([word.format(**values) for word in words_of(entry_point)[4:]])
    assert (end.value.code, heard) == (0, [used])


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_of_an_entry_point_is_a_flag(name):
    assert [key for key, option in options(name).items() if getattr(option, "is_flag", False)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option_with_its_default_or_what_it_is_when_unset(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    for option in options(name).values():
        (line,) = [line for line in lines if line.split(" ")[0] == option.opts[0]]
        assert len(option.help) > 10
        assert option.help in line
        assert "Unset: " in line if option.default == "" else f"[default: {option.default}]" in line


def test_conda_installs_what_pyproject_asks_for_at_the_locked_versions():
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text(encoding="utf-8"))
    constraints, *packages = next(each for each in conda["dependencies"] if isinstance(each, dict))["pip"]
    assert constraints == "-c constraints.txt"
    assert packages == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
