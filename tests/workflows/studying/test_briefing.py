from dataclasses import replace
from pathlib import Path

import pytest

from rareflow.tuning.study import open_study
from rareflow.workflows.reading import DataSettings
from rareflow.workflows.settings import Settings
from rareflow.workflows.studying.briefing import Briefing


@pytest.mark.usefixtures("folder")
def test_a_worker_is_told_every_option_of_the_data_as_the_study_has_it():
    source = DataSettings(
        "train.csv", label="label", drop=("id", "a,b"), categorical=("svc",), infinities="drop",
        rare_classes="merge", sample_rows=500, seed=4,
    )  # fmt: skip
    given = Settings(source, test="test.csv", unseen_classes="drop", split="grouped", test_size=0.2, seed=4)
    study = open_study("sqlite:///optuna.db", "s", seed=0)
    Briefing.publish(study, given, repeats=2, tune_rows=90, n_trials=7, uri="sqlite:///m.db", run_id="r")
    told = Briefing.of(open_study("sqlite:///optuna.db", "s", seed=0), data="", n_threads=1, device="auto")
    here = Path.cwd()
    assert told.settings == replace(
        given, source=replace(source, data=str(here / "train.csv")), test=str(here / "test.csv")
    )
