"""The example of a third-party augmenter, with a stand-in for the library that we do not depend on."""

import importlib
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.evaluation.augmenters import RowAugmenter
from rareflow.evaluation.augmenters.registry import GROUP

FOLDER = Path(__file__).parents[2] / "experiments" / "ctgan_augmenter"
ENTRIES = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]


class Library:
    """What the example asks of CTGAN and TVAE: it samples the rows that it was fitted to."""

    def __init__(self, *, verbose):
        assert verbose is False

    def set_random_state(self, seed):
        self.rng = np.random.default_rng(seed)

    def fit(self, rows, discrete):
        numbers = rows.drop(columns=discrete)
        assert len(rows) >= 10
        assert numbers.notna().all(axis=None)
        assert (numbers.dtypes == np.float64).all()
        self.rows = rows

    def sample(self, n):
        return self.rows.sample(n, replace=True, random_state=self.rng)


@pytest.fixture
def example(monkeypatch):
    library = ModuleType("ctgan")
    library.CTGAN = library.TVAE = Library
    monkeypatch.setitem(sys.modules, "ctgan", library)
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module("ctgan_augmenter")
    del sys.modules["ctgan_augmenter"]


@pytest.mark.parametrize("name", ENTRIES)
def test_the_example_registers_row_augmenters_of_the_same_name(name, example):
    module, _, attribute = ENTRIES[name].partition(":")
    assert module == example.__name__
    found = getattr(example, attribute)
    assert issubclass(found, RowAugmenter)
    assert found.name == name


def test_the_example_forges_each_class_from_its_own_rows_in_its_dtypes(example):
    y = np.repeat(["big", "few", "one"], [20, 4, 1])
    X = pd.DataFrame(
        {
            "n": np.arange(25, dtype=np.int16),
            "gap": np.where(np.arange(25) % 2, np.nan, 1.5),
            "flag": np.arange(25) % 3 == 0,
            "kind": pd.Categorical(np.where(y == "few", "x", "y")),
            "text": np.where(np.arange(25) == 24, None, "t"),
        }
    )
    made = example.Ctgan()
    made.fit(Table(X.assign(label=y), Schema.infer(X), "label"), seed=0)
    given = made.training_set(1.0)
    assert given.forged == 16 + 19
    assert given.X.dtypes.equals(X.dtypes)
    rows = given.X.iloc[25:].assign(label=given.y[25:])
    assert set(rows.loc[rows["label"] == "few", "n"]) <= {20, 21, 22, 23}
    assert set(rows.loc[rows["label"] == "few", "kind"]) == {"x"}
    assert (rows.loc[rows["label"] == "one", ["n", "flag"]] == [24, True]).all(axis=None)
    assert rows.loc[rows["label"] == "one", "text"].isna().all()
    assert (rows["gap"] == 1.5).all()
    pd.testing.assert_frame_equal(made.training_set(1.0).X, given.X)
