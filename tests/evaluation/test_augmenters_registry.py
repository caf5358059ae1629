import re
import textwrap

import pytest

from rareflow.errors import ConfigError
from rareflow.evaluation.augmenters.registry import AUGMENTERS, augmenter, known_augmenters

MODULE = """
import pandas as pd
from rareflow.evaluation.augmenters import RowAugmenter

class Mirror(RowAugmenter):
    name = "mirror"

    def forge(self, counts):
        rows = [self.X[self.y == label].iloc[[0] * new] for label, new in counts.items()]
        return pd.concat(rows), pd.Series(counts.keys()).repeat(list(counts.values())).to_numpy()

class Raw(RowAugmenter):
    name = "RAW"

NOTHING = 3
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that registers augmenters, as pip would leave it."""
    info = tmp_path / "mirrors-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mirrors\nVersion: 1.0\n")
    entries = """
        [rareflow.augmenters]
        mirror = mirrors_of_a_test:Mirror
        another mirror = mirrors_of_a_test:Mirror
        nothing = mirrors_of_a_test:NOTHING
        gone = mirrors_of_a_test:Gone
        nowhere = no_such_module_at_all:Mirror
        RAW = mirrors_of_a_test:Raw
    """
    (info / "entry_points.txt").write_text(textwrap.dedent(entries))
    (tmp_path / "mirrors_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def test_our_augmenters_stand_in_the_order_of_the_tables():
    assert AUGMENTERS == (
        "RAW", "class weights", "tuned thresholds", "random oversampling", "SMOTE", "Borderline-SMOTE",
        "ADASYN", "VAE", "WGAN", "WGAN-GP", "VAE-WGAN-GP (paper)", "rareflow",
    )  # fmt: skip
    assert known_augmenters()[: len(AUGMENTERS)] == AUGMENTERS


@pytest.mark.parametrize("name", AUGMENTERS)
def test_an_augmenter_goes_by_its_name(name):
    assert augmenter(name).name == name


@pytest.mark.usefixtures("installed")
def test_a_package_registers_an_augmenter_under_the_entry_point():
    assert type(augmenter("mirror")).__module__ == "mirrors_of_a_test"
    assert set(known_augmenters()) >= {"mirror", "nothing"}


@pytest.mark.usefixtures("installed")
def test_nobody_takes_the_name_of_one_of_ours():
    assert type(augmenter("RAW")).__module__.startswith("rareflow.")
    assert known_augmenters().count("RAW") == 1


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere", "'no_such_module_at_all:Mirror', which cannot be imported: No module named"),
        ("gone", "'mirrors_of_a_test:Gone', which cannot be imported: module .* has no attribute 'Gone'"),
        ("nothing", "'mirrors_of_a_test:NOTHING', which is no subclass of rareflow.evaluation.augmenters"),
        ("another mirror", "'mirrors_of_a_test:Mirror', whose name is 'mirror'; make the two equal"),
    ],
)
def test_what_is_registered_but_no_augmenter_is_refused_with_the_reason(name, why):
    with pytest.raises(ConfigError, match=f"augmenter '{name}' is registered as {why}"):
        augmenter(name)


@pytest.mark.usefixtures("installed")
def test_an_unknown_augmenter_is_refused_with_the_known_ones():
    text = re.escape(
        f"augmenter 'smote' is unknown; choose among {', '.join(known_augmenters())}, or install"
    )
    with pytest.raises(ConfigError, match=text) as refused:
        augmenter("smote")
    assert "SMOTE" in str(refused.value)
    assert "mirror" in str(refused.value)
