import io
import re

import numpy as np
import pytest

from rareflow.errors import DataError
from rareflow.evaluation.metrics import score
from rareflow.evaluation.plots import confusion_figure, loss_curves_figure, per_class_f1_figure


def scores_of(confusion, labels=None):
    labels = labels or [f"class {i}" for i in range(len(confusion))]
    true, predicted = np.indices(np.shape(confusion)).reshape(2, -1).repeat(np.ravel(confusion), axis=1)
    names = np.array(labels, dtype=object)
    return score(names[true], names[predicted], labels=labels)


def texts(figure):
    """Draw the figure, so that a warning of the renderer shows, and give the texts of its first panel."""
    figure.savefig(io.BytesIO(), format="png")
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_confusion_cell_shows_its_rows_and_its_share_of_the_true_class():
    figure = confusion_figure(scores_of([[3, 1], [0, 5]]), "a title")
    assert texts(figure) == ["3\n75%", "1\n25%", "5\n100%"]
    assert figure.axes[0].get_title() == "a title"
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["class 0 (4)", "class 1 (5)"]


def test_a_share_that_is_not_whole_never_reads_so():
    assert texts(confusion_figure(scores_of([[999, 1], [0, 1]]), "")) == ["999\n>99%", "1", "1\n100%"]


@pytest.mark.parametrize("classes", [2, 25])
def test_a_confusion_figure_draws_a_class_without_rows_too(classes):
    confusion = np.eye(classes, dtype=int) * 7
    confusion[0, 0] = 0
    assert len(texts(confusion_figure(scores_of(confusion), ""))) == classes - 1


def test_classes_stand_with_their_support_the_rarest_first():
    scores = scores_of([[9, 0, 0], [0, 2, 0], [1, 0, 3]])
    figure = per_class_f1_figure({"xgb": scores, "rf": scores}, {"xgb": scores, "rf": scores}, "a title")
    texts(figure)
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "class 1 (2)",
        "class 2 (4)",
        "class 0 (9)",
    ]
    assert axes.yaxis_inverted()
    assert [panel.get_title() for panel in figure.axes] == ["XGBoost", "Random forest"]


def test_bars_are_as_long_as_the_f1_before_and_after():
    before, after = scores_of([[3, 1], [1, 3]]), scores_of([[4, 0], [0, 4]])
    figure = per_class_f1_figure({"dt": before}, {"dt": after}, "")
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([0.75, 0.75, 1, 1])


def test_a_class_without_rows_is_said_to_be_unscored():
    scores = scores_of([[3, 0], [0, 0]])
    assert texts(per_class_f1_figure({"dt": scores}, {"dt": scores}, "")).count("not scored") == 2


@pytest.mark.parametrize("length", [1, 30, 400])
def test_every_loss_that_was_logged_has_its_panel(length):
    history = [{"step": 10.0 * i, "critic": float(i), "kl": 1.0} for i in range(length)]
    figure = loss_curves_figure(history)
    texts(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Critic loss", "KL divergence (nats)"]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), 10.0 * np.arange(length))
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), np.arange(length))


def test_a_loss_that_some_steps_lack_is_drawn_over_those_that_hold_it():
    figure = loss_curves_figure([{"step": 1, "critic": 2.0, "kl": 0.5}, {"step": 2, "critic": 1.0}])
    assert figure.axes[1].lines[0].get_xdata().tolist() == [1]


def test_a_loss_that_no_step_has_a_number_for_is_not_drawn():
    figure = loss_curves_figure(
        [{"step": 1, "critic": np.nan, "kl": 0.5}, {"step": 2, "critic": np.nan, "kl": 1}]
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["KL divergence (nats)"]


def test_dollars_in_the_name_of_a_class_are_no_formula():
    scores = scores_of([[3, 1], [1, 3]], [r"$\x$", "$_$"])
    figure = confusion_figure(scores, r"$\y$")
    texts(figure)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == [r"$\x$", "$_$"]
    pair = {"dt": scores, "my.$_$": scores}
    texts(per_class_f1_figure(pair, pair, r"$\y$"))


def test_scores_of_different_detectors_are_refused():
    scores = scores_of([[3, 1], [1, 3]])
    text = "the scores before are of the detectors ['dt'], those after of ['rf']; score the same ones"
    with pytest.raises(DataError, match=re.escape(text)):
        per_class_f1_figure({"dt": scores}, {"rf": scores}, "")


def test_a_history_without_losses_is_refused():
    with pytest.raises(DataError, match="the history holds none of the losses critic, generator"):
        loss_curves_figure([{"step": 1.0}])
