import numpy as np
import pytest

from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.evaluation.fidelity import FIDELITY
from rareflow.evaluation.privacy import PRIVACY
from rareflow.evaluation.quality import mean_quality, quality_by_class
from tests.evaluation.test_fidelity import fidelity, mixed
from tests.evaluation.test_privacy import privacy


def table(seed):
    frame = mixed(60, seed).assign(label=np.repeat(["many", "few", "rare"], [38, 20, 2]))
    return Table(frame, Schema.infer(frame.drop(columns="label")), "label")


@pytest.fixture(scope="module")
def found():
    forged = mixed(40, 2), np.repeat(["few", "rare"], 20).astype(object)
    return quality_by_class(table(0), table(1), *forged, seed=3)


def test_a_class_has_its_support_its_fidelity_to_held_out_rows_and_its_privacy(found):
    train, test, forged = mixed(60, 0)[38:58], mixed(60, 1)[38:58], mixed(40, 2)[:20]
    assert list(found.columns) == ["train_rows", "held_out_rows", "forged_rows", *FIDELITY, *PRIVACY]
    assert found.loc["few"].to_dict() == {
        "train_rows": 20,
        "held_out_rows": 20,
        "forged_rows": 20,
        **fidelity(test, forged, seed=3),
        **privacy(train, test, forged, seed=3),
    }


def test_the_means_leave_out_what_was_not_measured(found):
    means = mean_quality(found)
    assert list(means) == [
        *(f"fidelity_{name}" for name in FIDELITY),
        *(f"privacy_{name}" for name in PRIVACY),
    ]
    assert means["fidelity_c2st_auc"] == found.loc["few", "c2st_auc"]
    assert means["privacy_copies"] == found["copies"].mean()
    assert np.isnan(found.loc["rare", "c2st_auc"])


def test_a_table_of_fidelity_alone_has_no_means_of_privacy(found):
    assert list(mean_quality(found[list(FIDELITY)])) == [f"fidelity_{name}" for name in FIDELITY]


def test_what_no_class_could_measure_has_no_mean(found):
    assert np.isnan(list(mean_quality(found[:0]).values())).all()
    assert np.isnan(mean_quality(found.loc[["rare"]])["fidelity_marginal"])
