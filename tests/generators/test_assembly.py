import numpy as np
import pandas as pd
import pytest

from rareflow.generators import assembly
from rareflow.generators.portable import PortableGenerator, forest_features
from tests.generators.tables import mixed, untrained

X, Y = mixed()
COUNTS = np.array([106, 2, 11, 1])  # of common, pair, rare, single


@pytest.fixture
def seen(monkeypatch):
    """What the filter's forests were fitted on, and which forged rows were drawn crossed."""
    told = {"crossed": []}
    fit, draw = assembly.fit_forest, PortableGenerator.draw

    def listen(features, kinds, seed):
        told.update(features=features, kinds=kinds)
        return fit(features, kinds, seed)

    def watch(self, index, count, rng, temperature=1.0, *, cross=True):
        told["crossed"].append(cross)
        return draw(self, index, count, rng, temperature, cross=cross)

    monkeypatch.setattr(assembly, "fit_forest", listen)
    monkeypatch.setattr(PortableGenerator, "draw", watch)
    return told


@pytest.mark.parametrize("mode", ["crossover", "residual", "prior"])
def test_the_filter_learns_the_real_rows_and_forged_ones_to_the_geometric_mean_with_the_largest(seen, mode):
    tensors = untrained(X, Y, mode=mode, filter=True)[0].tensors
    real = forest_features(tensors["anchors.raw"].T, tensors["anchors.modes"].T).T
    assert (seen["features"][: len(X)] == real).all()
    assert (seen["kinds"][: len(X)] == np.repeat(np.arange(4), COUNTS)).all()
    assert np.bincount(seen["kinds"]).tolist() == np.sqrt(COUNTS * 106).round().tolist()


def test_the_filter_learns_no_crossed_row(seen):
    untrained(X, Y, mode="crossover", filter=True)
    assert seen["crossed"] == [False] * 4


def test_the_filter_learns_copies_of_a_class_of_one_row(seen):
    untrained(X, Y, mode="crossover", filter=True)
    own = seen["features"][seen["kinds"] == 3]
    assert len(own) == 10
    assert (own == own[0]).all()


def test_the_filter_learns_nothing_forged_of_one_class_alone_or_of_equal_ones(seen):
    for labels in (["only"] * 120, ["a", "b"] * 60, [f"{row}" for row in range(120)]):
        untrained(X, pd.Series(labels, name="attack"), mode="crossover", filter=True)
        assert len(seen["kinds"]) == 120


def test_the_filter_s_forests_know_every_class(seen):
    generator = untrained(X, Y, mode="crossover", filter=True)[0]
    assert generator.tensors["forest.value"].shape[1] == len(generator.classes)
    assert set(seen["kinds"].tolist()) == {0, 1, 2, 3}


def test_without_a_filter_no_forest_is_kept():
    assert not [name for name in untrained(X, Y, filter=False)[0].tensors if name.startswith("forest.")]


def test_every_column_is_told_its_group():
    table = X[["pressure", "version"]].assign(depth=-(X["pressure"] ** 3), deep=X["pressure"] > 10)
    groups = {entry["name"]: entry["group"] for entry in untrained(table, Y)[0].spec["columns"]}
    assert groups["pressure"] == groups["depth"] == groups["deep"] != groups["version"]
    assert set(groups.values()) == {0, 1}
