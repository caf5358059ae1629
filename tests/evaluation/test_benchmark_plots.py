import io
from math import nan

import pandas as pd
import pytest
from matplotlib.text import Text

from rareflow.evaluation.benchmark_plots import class_figure, forest_figure, scarcity_figure
from rareflow.evaluation.statistics import compare_each, scores_by_seed
from tests.evaluation.results_frames import classes, results


def against(scores, reference):
    return list(compare_each(scores, dict.fromkeys(scores, reference)).values())


def drawn(figure):
    """Draw the figure, so that a warning of the renderer shows, and give its first panel."""
    figure.savefig(io.BytesIO(), format="png")
    return figure.axes[0]


def ticks(labels):
    return [label.get_text() for label in labels]


def sweep(**settings):
    return pd.concat([results(scores, shots=name) for name, scores in settings.items()], ignore_index=True)


def test_a_scarcity_curve_goes_through_the_means_over_seeds_and_detectors():
    frame = sweep(few={"RAW": [0.5, 0.7], "SMOTE": [0.6, 0.6]}, all={"RAW": [0.9, 0.9], "SMOTE": [0.8, 0.8]})
    axes = drawn(scarcity_figure(frame))
    assert ticks(axes.get_xticklabels()) == ["few", "all"]
    found = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert list(found) == ["RAW", "SMOTE"]
    assert list(found["RAW"]) == pytest.approx([59, 89])
    assert list(found["SMOTE"]) == pytest.approx([59, 79])


def test_raw_ours_and_the_best_other_have_bands_of_one_deviation():
    scores = {"RAW": [0.4, 0.6], "SMOTE": [0.6, 0.7], "WGAN": [0.1, 0.2], "rareflow": [0.7, 0.9]}
    axes = drawn(scarcity_figure(sweep(few=scores, all=scores)))
    bands = [band.get_datalim(axes.transData).y0 for band in axes.collections]
    assert len(axes.lines) == 4
    assert bands == pytest.approx([49 - 200**0.5, 64 - 50**0.5, 79 - 200**0.5])


def banded(figure):
    return drawn(figure).get_title().removeprefix("Bands of one standard deviation over the seeds: ")


def test_the_band_of_the_others_is_of_the_best_where_ours_ran_and_not_of_one_that_ran_with_all_rows_alone():
    few = {"RAW": [0.4, 0.5], "SMOTE": [0.5, 0.6], "ADASYN": [0.6, 0.7], "rareflow": [0.7, 0.8]}
    every = {"RAW": [0.9, 0.8], "SMOTE": [0.9, 0.8], "ADASYN": [0.9, 0.8], "rareflow": [0.9, 0.8]}
    figure = scarcity_figure(sweep(few=few, all=every | {"VAE": [0.9, 0.8]}))
    assert banded(figure) == "RAW, ADASYN, rareflow"
    more = {"SMOTE": [0.99, 0.98], "ADASYN": [0.1, 0.2]}
    assert banded(scarcity_figure(sweep(few=few, all=every, more=more))) == "RAW, ADASYN, rareflow"


def test_where_no_other_has_all_shots_of_ours_the_band_is_of_the_best_of_those_with_most():
    ours, others = {"rareflow": [0.7, 0.8]}, {"SMOTE": [0.5, 0.6], "ADASYN": [0.6, 0.7]}
    frame = sweep(few=ours | others, some=ours | others, all=ours | {"VAE": [0.9, 0.8]})
    assert banded(scarcity_figure(frame)) == "rareflow, ADASYN"


def test_without_ours_or_without_another_where_ours_ran_there_is_no_band_too_many():
    ours, other, raw = {"rareflow": [0.7, 0.8]}, {"SMOTE": [0.5, 0.6]}, {"RAW": [0.4, 0.5]}
    apart = sweep(few=ours, some=ours, all=other, more=other)
    assert banded(scarcity_figure(apart)) == "rareflow"
    assert banded(scarcity_figure(sweep(few=raw | other, all=raw | other))) == "RAW, SMOTE"


def test_one_seed_or_one_number_of_shots_has_no_band_and_no_title_of_one():
    one = {"RAW": [0.5], "SMOTE": [0.6]}
    assert banded(scarcity_figure(sweep(few=one, all=one))) == ""
    assert banded(scarcity_figure(results({"RAW": [0.5, 0.6], "SMOTE": [0.6, 0.7]}))) == ""


def test_an_augmenter_that_a_setting_lacks_has_a_gap_there():
    frame = sweep(few={"RAW": [0.5]}, all={"RAW": [0.9], "SMOTE": [0.8]})
    line = drawn(scarcity_figure(frame)).lines[1]
    assert list(line.get_ydata()) == pytest.approx([nan, 79], nan_ok=True)


def test_more_augmenters_than_colours_stay_apart():
    scores = {f"augmenter {i}": [0.5] for i in range(20)}
    lines = drawn(scarcity_figure(results(scores))).lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 20
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 20


def test_a_forest_has_a_line_for_each_difference_filled_where_it_is_significant():
    scores = pd.DataFrame({"RAW": [0.0] * 8, "rareflow": [1.0, 2, 3, 4, 5, 6, 7, 8], "SMOTE": [-1.0, 1] * 4})
    axes = drawn(forest_figure(against(scores, "RAW"), "a title"))
    assert ticks(axes.get_yticklabels()) == ["rareflow \N{MINUS SIGN} RAW", "SMOTE \N{MINUS SIGN} RAW"]
    zero, ours, smote = axes.lines
    assert list(zero.get_xdata()) == [0, 0]
    assert list(ours.get_xdata()) == [4.5]
    assert ours.get_markerfacecolor() != "white"
    assert smote.get_markerfacecolor() == "white"
    assert len(axes.collections) == 2


def test_one_seed_has_a_point_without_an_interval():
    axes = drawn(forest_figure(against(scores_by_seed(results({"RAW": [0.5], "SMOTE": [0.6]})), "RAW"), ""))
    assert list(axes.lines[1].get_xdata()) == pytest.approx([10])
    assert len(axes.collections) == 0


def test_what_has_no_interval_is_never_filled_and_the_axis_does_not_speak_of_one():
    scores = pd.DataFrame({"RAW": [0.0] * 8, "rareflow": [1.0, 2, 3, 4, 5, 6, 7, 8]})
    found = compare_each(scores, {"rareflow": "RAW"}, tested=False)
    axes = drawn(forest_figure(list(found.values()), "a title"))
    assert len(axes.collections) == 0
    assert axes.lines[1].get_markerfacecolor() == "white"
    said = "Difference of macro F1 in points, without an interval"
    assert axes.get_figure().get_supxlabel() == said


def test_what_a_forest_says_below_is_within_the_figure_however_long_its_names_are():
    name = "VAE-WGAN-GP (paper)"
    scores = pd.DataFrame({name: [0.0] * 8, f"{name} once more": [1.0, 2, 3, 4, 5, 6, 7, 8]})
    figure = forest_figure(against(scores, name), "a title")
    figure.draw_without_rendering()
    (below,) = figure.findobj(
        lambda each: isinstance(each, Text) and each.get_text().startswith("Difference")
    )
    whole = figure.bbox.padded(1)
    assert whole.contains(*below.get_window_extent().min)
    assert whole.contains(*below.get_window_extent().max)


def test_dollars_in_the_name_of_a_class_or_an_augmenter_are_no_formula():
    names = {name: [0.5] for name in (r"$\x$", "$_$")}
    axes = drawn(
        class_figure(
            classes({"RAW": names, r"$\y$": names}, support=dict.fromkeys(names, 3)), "RAW", r"$\y$", r"$\z$"
        )
    )
    assert ticks(axes.get_yticklabels()) == [r"$\x$ (3)", "$_$ (3)"]
    drawn(scarcity_figure(results({r"$\x$": [0.5], "$_$": [0.6]})))
    drawn(forest_figure(against(pd.DataFrame({r"$\x$": [0.5], "$_$": [0.6]}), "$_$"), r"$\z$"))


def test_classes_before_and_after_have_the_rarest_at_the_top_and_an_unscored_one_no_mark():
    frame = classes(
        {"RAW": {"Normal": [0.9, 1.0], "DOS": [0.2, 0.4]}, "SMOTE": {"Normal": [1.0, 1.0], "DOS": [nan, nan]}}
    )
    axes = drawn(class_figure(frame, "RAW", "SMOTE", "a title"))
    assert ticks(axes.get_yticklabels()) == ["DOS (3)", "Normal (100)"]
    assert axes.yaxis_inverted()
    before, after = axes.lines
    assert list(before.get_xdata()) == pytest.approx([0.3, 0.95])
    assert list(after.get_xdata()) == pytest.approx([nan, 1.0], nan_ok=True)


def test_one_seed_and_one_number_of_shots_can_be_drawn():
    axes = drawn(scarcity_figure(results({"RAW": [0.5], "SMOTE": [0.6]})))
    assert ticks(axes.get_xticklabels()) == ["10"]
    frame = classes({"RAW": {"DOS": [0.5]}, "SMOTE": {"DOS": [0.6]}})
    assert len(drawn(class_figure(frame, "RAW", "SMOTE", "")).lines) == 2
