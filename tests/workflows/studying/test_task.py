import numpy as np
import pandas as pd
import pytest

from rareflow.workflows.reading import DataSettings
from rareflow.workflows.settings import Settings
from rareflow.workflows.studying.task import Task


@pytest.mark.parametrize("test_size", [0.2, 0.5])
@pytest.mark.usefixtures("folder")
def test_inner_splits_have_the_test_size_of_the_outer_one(test_size):
    pd.DataFrame({"x": np.arange(200), "label": ["a", "b"] * 100}).to_csv("even.csv", index=False)
    settings = Settings(DataSettings("even.csv", label="label"), test_size=test_size)
    task = Task.read(settings, repeats=2, tune_rows=1_000)
    for split in (*task.search.splits, *task.fresh.splits):
        assert len(split.test) == test_size * len(task.train)
    tested = {tuple(split.test) for split in (*task.search.splits, *task.fresh.splits)}
    assert len(tested) == 4, "a split that trials were scored on is not fresh"
    assert task.protocol.endswith(f"training rows, test size {test_size}")
