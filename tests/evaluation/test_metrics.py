import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from rareflow.errors import DataError
from rareflow.evaluation.metrics import mean_summary, score

LABELS = ("a", "b", "c")


def from_confusion(confusion, labels=LABELS):
    """Write out the rows that have this confusion matrix, and score them."""
    pairs = [
        (t, p) for i, t in enumerate(labels) for j, p in enumerate(labels) for _ in range(confusion[i][j])
    ]
    true, predicted = (np.array(column, dtype=object) for column in zip(*pairs, strict=True))
    return score(true, predicted, labels=labels)


def test_scores_have_their_closed_form_on_a_matrix_made_by_hand():
    scores = from_confusion([[6, 2, 0], [1, 3, 0], [0, 0, 4]])
    assert scores.confusion.tolist() == [[6, 2, 0], [1, 3, 0], [0, 0, 4]]
    assert scores.per_class["a"].precision == pytest.approx(6 / 7)
    assert scores.per_class["a"].recall == pytest.approx(6 / 8)
    assert scores.per_class["a"].f1 == pytest.approx(12 / 15)
    assert [scores.per_class[label].support for label in LABELS] == [8, 4, 4]
    assert scores.macro_precision == pytest.approx((6 / 7 + 3 / 5 + 1) / 3)
    assert scores.macro_recall == pytest.approx((6 / 8 + 3 / 4 + 1) / 3)
    assert scores.macro_f1 == pytest.approx((12 / 15 + 6 / 9 + 1) / 3)


def test_mcc_of_two_classes_has_its_closed_form():
    scores = from_confusion([[5, 1], [2, 4]], labels=("a", "b"))
    assert scores.mcc == pytest.approx((5 * 4 - 1 * 2) / np.sqrt(7 * 6 * 5 * 6))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1))
def test_macro_scores_are_scikit_learns_over_the_classes_that_have_rows(pairs):
    true, predicted = (np.array(column, dtype=object) for column in zip(*pairs, strict=True))
    scores = score(true, predicted, labels=LABELS)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        true, predicted, labels=sorted(set(true)), average="macro", zero_division=0
    )
    assert (scores.macro_precision, scores.macro_recall, scores.macro_f1) == pytest.approx(
        (precision, recall, f1)
    )
    if len(set(true)) > 1:
        assert scores.mcc == pytest.approx(reference.matthews_corrcoef(true, predicted))


def test_a_class_without_rows_is_missing_from_its_scores_and_from_the_averages():
    scores = from_confusion([[3, 0, 1], [0, 4, 0], [0, 0, 0]])
    unscored = scores.per_class["c"]
    assert unscored.support == 0
    assert np.isnan([unscored.precision, unscored.recall, unscored.f1]).all()
    assert scores.macro_recall == pytest.approx((3 / 4 + 1) / 2)
    assert scores.macro_precision == pytest.approx(1)


def test_a_class_that_is_never_predicted_has_precision_zero():
    scores = from_confusion([[3, 0, 0], [4, 0, 0], [0, 0, 2]])
    assert scores.per_class["b"].precision == scores.per_class["b"].f1 == 0


def test_mcc_is_missing_when_one_class_alone_has_rows():
    assert np.isnan(from_confusion([[3, 1, 0], [0, 0, 0], [0, 0, 0]]).mcc)


def test_the_summary_holds_every_scalar_metric():
    scores = from_confusion([[6, 2, 0], [1, 3, 0], [0, 0, 4]])
    scalars = [field.name for field in dataclasses.fields(scores) if field.type == "float"]
    assert scores.summary() == {name: getattr(scores, name) for name in scalars}


def test_the_mean_over_repeats_is_taken_metric_by_metric():
    good, bad = from_confusion([[4, 0], [0, 4]], LABELS[:2]), from_confusion([[2, 2], [2, 2]], LABELS[:2])
    assert mean_summary([good, bad]) == pytest.approx(dict.fromkeys(good.summary(), 0.75) | {"mcc": 0.5})


def test_the_frame_has_one_row_a_class_in_the_order_of_the_labels():
    scores = from_confusion([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    frame = scores.to_frame()
    assert frame.index.tolist() == list(LABELS)
    assert frame.columns.tolist() == ["precision", "recall", "f1", "support"]
    assert frame["support"].tolist() == [8, 4, 0]
    assert frame.loc["b", "recall"] == 0.75


def labels_of(*values):
    return np.array(values, dtype=object)


def test_no_row_at_all_is_refused():
    with pytest.raises(
        DataError, match="no row to score: y_true is empty; give the test part at least one row"
    ):
        score(labels_of(), labels_of(), labels=LABELS)


def test_labels_and_predictions_of_different_lengths_are_refused():
    with pytest.raises(DataError, match="2 true labels cannot be scored against 1 predictions"):
        score(labels_of("a", "b"), labels_of("a"), labels=LABELS)


@pytest.mark.parametrize(("true", "predicted", "what"), [("a", "x", "y_pred"), ("x", "a", "y_true")])
def test_a_label_that_nobody_named_is_refused_with_its_name(true, predicted, what):
    with pytest.raises(
        DataError, match=rf"{what} holds the label 'x', which is not among the labels \['a', 'b'\]"
    ):
        score(labels_of("a", true), labels_of("a", predicted), labels=["a", "b"])


def test_an_average_over_nothing_is_refused():
    with pytest.raises(DataError, match="nothing to average: the list of scores is empty"):
        mean_summary([])
