from math import nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rareflow.evaluation.published import PUBLISHED
from rareflow.evaluation.statistics import best_others, compare_each, scores_by_seed
from rareflow.evaluation.tables import (
    amount_table,
    class_table,
    comparison_frame,
    comparison_table,
    fidelity_table,
    macro_frame,
    macro_table,
)
from tests.evaluation.results_frames import classes, results


def lines(table):
    """A table's cells, line by line, the rule below the header left out."""
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [header, *rows]


def test_a_class_with_bars_and_line_ends_in_its_name_stays_one_cell():
    name = "a|b\\|c\nd"
    table = class_table(classes({"RAW": {name: [0.5]}}, support={name: 3}))
    assert table.splitlines()[2:] == [r"| a\|b\\\|c d | 3 | 50.0 |"]


def test_the_macro_table_has_the_papers_layout_in_percent():
    header, raw, smote = lines(macro_table(results({"RAW": [0.5, 0.6], "SMOTE": [0.7, 0.7]})))
    assert header == [
        "macro avg, %",
        *("precision XGB", "precision DT", "recall XGB", "recall DT", "F1 XGB", "F1 DT"),
    ]
    sd = f"{np.std([50, 60], ddof=1):.2f}"
    means = ("65.00", "63.00", "45.00", "43.00", "55.00", "53.00")
    assert raw == ["RAW", *(f"{mean} ± {sd}" for mean in means)]
    assert smote == [
        "SMOTE",
        *(f"{m} ± 0.00" for m in ("80.00", "78.00", "60.00", "58.00", "70.00", "68.00")),
    ]


def test_one_seed_has_no_deviation():
    _, raw = lines(macro_table(results({"RAW": [0.5]})))
    assert raw[-2:] == ["50.00 ± -", "48.00 ± -"]


def test_the_published_figures_stand_below_ours_and_other_detectors_have_none():
    frame = results({"RAW": [0.5], "ADASYN": [0.5]}, detectors=("xgb", "sklearn.naive_bayes.GaussianNB"))
    header, _, published, *others = lines(macro_table(frame, PUBLISHED["gas-pipeline"]))
    assert header[-2:] == ["F1 XGB", "F1 GaussianNB"]
    assert published == ["*RAW, published*", "60.87", "-", "60.12", "-", "61.49", "-"]
    assert [name for name, *_ in others] == [
        "ADASYN",
        *("*SMOTE, published*", "*WGAN, published*", "*VAE-WGAN-GP (paper), published*"),
    ]


def test_the_macro_frame_holds_ours_and_the_published_figures_in_percent():
    frame = macro_frame(results({"RAW": [0.5, 0.6], "mine": [0.5]}), PUBLISHED["gas-pipeline"])
    found = frame.set_index(["augmenter", "metric", "detector"])
    assert list(frame.columns) == ["augmenter", "metric", "detector", "mean", "sd", "published"]
    raw, mine = found.loc[("RAW", "macro_f1", "xgb")], found.loc[("mine", "macro_f1", "dt")]
    np.testing.assert_allclose(raw, [55, np.std([50, 60], ddof=1), 61.49])
    np.testing.assert_allclose(mine, [48, nan, nan])
    np.testing.assert_allclose(found.loc[("SMOTE", "macro_f1", "xgb")], [nan, nan, 61.82])


def test_a_seeds_score_is_the_mean_over_the_detectors_in_percent():
    scores = scores_by_seed(results({"SMOTE": [0.7, 0.8], "RAW": [0.5]}))
    assert list(scores.columns) == ["SMOTE", "RAW"]
    np.testing.assert_allclose(scores["SMOTE"], [69, 79])
    np.testing.assert_allclose(scores["RAW"], [49, nan])


def test_the_comparison_is_paired_by_seed_against_raw_and_against_the_best_other():
    raw, smote, ours = [0.50, 0.60, 0.70], [0.55, 0.62, 0.71], [0.58, 0.69, 0.77]
    frame = results({"RAW": raw, "SMOTE": smote, "rareflow": ours})
    header, first, second, third = lines(comparison_table(frame))
    assert header == ["augmenter", "macro F1, %", "over RAW", "p", "best other", "over it", "p", "rank"]
    assert first[:5] == ["RAW", "59.00 ± 10.00", "-", "-", "rareflow"]
    differences = 100 * (np.array(ours) - raw)
    low, high = stats.t.interval(0.95, 2, loc=differences.mean(), scale=stats.sem(differences))
    assert third[2] == f"+8.00 [{low:+.2f}, {high:+.2f}]"
    assert second[4:6] == ["rareflow", lines(comparison_table(frame))[2][5]]
    assert second[5].startswith("-5.33 [")
    assert third[4] == "SMOTE"
    # The least p of three seeds is 0.25: two of them against RAW make 0.5, three against the best other 0.75.
    assert [second[3], third[3]] == ["0.5", "0.5"]
    assert [first[6], second[6], third[6]] == ["0.75", "0.75", "0.75"]
    assert [first[7], second[7], third[7]] == ["3.00", "2.00", "1.00"]


def test_the_comparison_frame_holds_what_the_table_rounds():
    frame = results({"RAW": [0.5, 0.6, 0.7], "SMOTE": [0.55, 0.62, 0.71], "mine": [0.58]})
    found = comparison_frame(frame).set_index("augmenter")
    scores = scores_by_seed(frame)
    expected = compare_each(scores, dict.fromkeys(scores, "RAW"))["SMOTE"]
    smote = found.loc["SMOTE"]
    np.testing.assert_allclose(
        smote[["seeds", "mean", "over_raw", "over_raw_low", "over_raw_high", "over_raw_p"]].astype(float),
        [3, scores["SMOTE"].mean(), expected.difference, expected.low, expected.high, expected.p_holm],
    )
    assert smote["best_other"] == "RAW"
    assert found.loc["mine", "seeds"] == 1
    assert found.loc["RAW", ["over_raw", "over_raw_p"]].isna().all()
    assert found.loc["mine", ["sd", "over_best_low", "over_best_p"]].isna().all()


def test_one_seed_is_compared_without_interval_and_without_p():
    _, raw, smote = lines(comparison_table(results({"RAW": [0.5], "SMOTE": [0.7]})))
    assert raw == ["RAW", "49.00 ± -", "-", "-", "SMOTE", "-20.00 [-]", "-", "2.00"]
    assert smote == ["SMOTE", "69.00 ± -", "+20.00 [-]", "-", "RAW", "+20.00 [-]", "-", "1.00"]


def test_a_lone_augmenter_and_a_benchmark_without_raw_are_compared_with_nothing():
    (_, lone) = lines(comparison_table(results({"SMOTE": [0.5, 0.6]})))
    assert lone == ["SMOTE", "54.00 ± 7.07", "-", "-", "-", "-", "-", "1.00"]
    _, smote, _ = lines(comparison_table(results({"SMOTE": [0.5, 0.6], "WGAN": [0.4, 0.3]})))
    assert smote[2:5] == ["-", "-", "WGAN"]


def test_augmenters_without_a_seed_in_common_are_not_compared():
    frame = results({"RAW": [0.5, 0.6], "SMOTE": [0.7, 0.8]})
    apart = frame[(frame["augmenter"] == "RAW") == (frame["seed"] == 0)]
    _, raw, smote = lines(comparison_table(apart))
    assert raw[3:] == ["-", "-", "-", "-", "-", "-"]
    assert smote[3:] == ["-", "-", "-", "-", "-", "-"]


def test_an_augmenter_with_one_seed_takes_nothing_from_the_others_and_the_seeds_are_shown():
    rng = np.random.default_rng(0)
    raw = rng.uniform(0.4, 0.6, 10)
    steady = {"RAW": raw, "SMOTE": raw + 0.05, "rareflow": raw + rng.uniform(0.08, 0.1, 10)}
    header, *alone = lines(comparison_table(results(steady)))
    wider, *beside, lucky = lines(comparison_table(results(steady | {"WGAN": [0.99]})))
    assert "seeds" not in header
    assert wider == [header[0], "seeds", *header[1:]]
    assert [[name, *rest] for name, _, *rest in beside] == alone
    assert [seeds for _, seeds, *_ in beside] == ["10"] * 3
    assert lucky[:2] == ["WGAN", "1"]
    assert lucky[4:6] == ["-", "rareflow"]
    assert lucky[7:] == ["-", "-"]


def test_where_the_seeds_say_nothing_of_other_data_there_is_no_interval_and_no_p():
    frame = results({"RAW": [0.5, 0.52, 0.51], "SMOTE": [0.6, 0.62, 0.61], "WGAN": [0.4, 0.41, 0.45]})
    _, raw, smote, _ = lines(comparison_table(frame, tested=False))
    assert raw == ["RAW", "50.00 ± 1.00", "-", "-", "SMOTE", "-10.00 [-]", "-", "2.00"]
    assert smote == ["SMOTE", "60.00 ± 1.00", "+10.00 [-]", "-", "RAW", "+10.00 [-]", "-", "1.00"]


def test_holms_family_counts_those_that_were_compared():
    scores = pd.DataFrame({"RAW": [1.0, 2, 3], "SMOTE": [2.0, 4, 6], "WGAN": [nan, nan, nan]})
    found = compare_each(scores, dict.fromkeys(scores.columns, "RAW"))
    assert list(found) == ["SMOTE"]
    assert found["SMOTE"].p_holm == found["SMOTE"].p == 0.25
    assert best_others(scores)["RAW"] == "SMOTE"


def test_the_class_table_has_the_rarest_class_first_with_its_test_rows():
    frame = classes(
        {"RAW": {"Normal": [0.9, 1.0], "DOS": [0.2, 0.4]}, "SMOTE": {"Normal": [1, 1], "DOS": [nan, nan]}}
    )
    assert lines(class_table(frame)) == [
        ["F1, %", "test rows", "RAW", "SMOTE"],
        ["DOS", "3", "30.0", "-"],
        ["Normal", "100", "95.0", "100.0"],
    ]


def test_test_rows_that_differ_between_seeds_are_a_span():
    frame = classes({"RAW": {"Normal": [0.9, 1.0]}})
    frame["support"] = [1200, 1300]
    assert lines(class_table(frame))[1] == ["Normal", "1,200 to 1,300", "95.0"]


def test_amounts_are_medians_and_seconds_means_over_the_seeds():
    frame = results({"RAW": [0.5, 0.5, 0.5], "SMOTE": [0.6, 0.6, 0.6]})
    is_smote = frame["augmenter"] == "SMOTE"
    frame.loc[is_smote, "amount"] = [0.25, 0.25, 0.75, 0.75, 1.0, 1.0]
    frame.loc[is_smote, "seconds"] = [1, 1, 2, 2, 6, 6]
    assert lines(amount_table(frame)) == [
        ["augmenter", "amount", "seconds a cell"],
        ["RAW", "0.50", "2.0"],
        ["SMOTE", "0.75", "3.0"],
    ]


def forged(augmenter, *seeds):
    """Fidelity of one class: more rows, and a higher AUC, by the seed."""
    rows = {"forged_rows": [30 + 10 * seed for seed in seeds], "c2st_auc": [0.5 + seed / 5 for seed in seeds]}
    return pd.DataFrame(
        {"shots": "10", "seed": seeds, "augmenter": augmenter, "class": "DOS", **rows, "precision": nan}
    )


def test_fidelity_is_the_mean_over_the_seeds_of_each_class():
    ours = results({"RAW": [0.5, 0.5], "SMOTE": [0.6, 0.6]})
    assert lines(fidelity_table(forged("SMOTE", 0, 1), ours)) == [
        ["augmenter", "class", "forged rows", "c2st auc", "precision"],
        ["SMOTE", "DOS", "35", "0.600", "-"],
    ]


@pytest.mark.parametrize("names", [("RAW", "SMOTE", "ADASYN"), ("ADASYN", "RAW", "SMOTE")])
def test_fidelity_is_of_the_seeds_that_forged_says_how_many_and_has_the_order_of_the_results(names):
    frame = pd.concat([forged("ADASYN", 0, 1), forged("SMOTE", 1)])
    header, *rows = lines(fidelity_table(frame, results({name: [0.5, 0.5] for name in names})))
    assert header[:4] == ["augmenter", "class", "seeds", "forged rows"]
    expected = {"SMOTE": ["SMOTE", "DOS", "1", "40"], "ADASYN": ["ADASYN", "DOS", "2", "35"]}
    assert [row[:4] for row in rows] == [expected[name] for name in names if name in expected]


def test_a_lone_augmenter_that_did_not_forge_in_every_seed_has_its_seeds_too():
    header, row = lines(fidelity_table(forged("SMOTE", 1), results({"SMOTE": [0.6, 0.6]})))
    assert (header[2], row[2]) == ("seeds", "1")


@pytest.mark.parametrize("table", [macro_table, comparison_table, amount_table])
def test_the_order_of_augmenters_is_that_of_the_frame(table):
    frame = results({"SMOTE": [0.5, 0.6], "ADASYN": [0.5, 0.7], "RAW": [0.4, 0.4]})
    assert [row[0] for row in lines(table(frame))[1:]] == ["SMOTE", "ADASYN", "RAW"]
