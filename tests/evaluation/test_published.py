import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rareflow.evaluation.augmenters.registry import AUGMENTERS
from rareflow.evaluation.published import METRICS, PUBLISHED, PublishedTable

GAS, CIC = PUBLISHED["gas-pipeline"], PUBLISHED["cic-ids-2017"]


def test_the_papers_figures_stand_where_the_paper_has_them():
    assert (GAS.title, CIC.title) == ("Table 4", "Table 3")
    assert GAS.value("WGAN", "rf", "macro_recall") == 72.78
    assert GAS.value("VAE-WGAN-GP (paper)", "dt", "macro_f1") == 83.07
    assert CIC.value("RAW", "xgb", "macro_precision") == 90.89
    assert CIC.value("SMOTE", "dt", "macro_f1") == 81.82


@pytest.mark.parametrize(
    "what", [("ADASYN", "xgb", "macro_f1"), ("RAW", "knn", "macro_f1"), ("RAW", "rf", "mcc")]
)
def test_what_the_paper_does_not_have_is_none(what):
    assert GAS.value(*what) is None


def test_every_published_augmenter_is_one_of_ours_and_has_nine_figures():
    for table in PUBLISHED.values():
        assert set(table.figures) <= set(AUGMENTERS)
        assert {len(row) for row in table.figures.values()} == {3 * len(METRICS)}


def test_figures_that_cannot_be_macro_averages_are_named():
    assert GAS.impossible == [("RAW", "xgb"), ("RAW", "rf")]
    ours = "VAE-WGAN-GP (paper)"
    assert CIC.impossible == [("RAW", "dt"), ("SMOTE", "dt"), ("WGAN", "dt"), (ours, "rf"), (ours, "dt")]


@given(
    st.lists(st.tuples(*[st.floats(0.01, 1)] * 2), min_size=1, max_size=9),
)
def test_rounded_macro_averages_of_any_detector_are_possible(classes):
    precision, recall = (np.mean(each) for each in zip(*classes, strict=True))
    f1 = np.mean([2 * p * r / (p + r) for p, r in classes])
    row = [round(100 * float(value), 2) for value in (precision, recall, f1) for _ in range(3)]
    assert PublishedTable("", {"RAW": tuple(row)}).impossible == []


def test_a_figure_just_above_the_bound_is_impossible():
    assert PublishedTable("", {"RAW": (60.0,) * 6 + (60.0, 60.01, 60.02)}).impossible == [("RAW", "dt")]
