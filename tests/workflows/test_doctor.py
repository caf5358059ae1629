import pytest

from tests.workflows.commands import rareflow


def lines(code=0):
    ended = rareflow("doctor")
    assert ended.code == code
    return ended.out.splitlines()


def test_doctor_tells_versions_device_and_stores_and_makes_none(folder):
    (folder / "mlflow.db").unlink()
    found = lines()
    for part in ("ok    mlflow 3.", "ok    torch ", "ok    optuna ", "processor cores", "CUDA device"):
        assert [line for line in found if part in line], part
    assert (
        f"note  tracking store sqlite:///{folder}/mlflow.db does not exist yet; `rareflow tune` makes it"
        in found
    )
    assert "note  study storage sqlite:///optuna.db does not exist yet; `rareflow tune` makes it" in found
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_doctor_says_that_a_store_answers():
    assert [line for line in lines() if line.startswith("ok    tracking store") and line.endswith("answers")]


def test_doctor_names_a_store_that_fails_and_the_remedy(folder):
    (folder / "optuna.db").write_text("no database " * 100)
    (line,) = [line for line in lines(code=2) if line.startswith("FAIL")]
    assert "the study's storage 'sqlite:///optuna.db'" in line
    assert "--storage" in line
