import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rareflow.data.leaks import find_leaks, leak_note
from rareflow.data.load import SIMULATED, load_table
from rareflow.data.schema import Schema
from rareflow.data.table import Table

ATTACKS = {"Normal": 600, "DoS": 200, "Scan": 120, "Worm": 20}
SETTLED = "one value in all rows of each class"
DATA = os.environ.get("RAREFLOW_DATA", "")


def labels(seed=0, **counts):
    return pd.Series(np.random.default_rng(seed).permutation(np.repeat(list(counts), list(counts.values()))))


def leaks(label, *, of=None, **columns):
    """What is found in these columns, beside one that is a feature."""
    frame = pd.DataFrame({"size": np.random.default_rng(1).normal(size=len(label)), **columns})
    return find_leaks(Table(frame.assign(label=label), Schema.infer(frame), "label"), of=of)


@pytest.mark.parametrize(
    "groups",
    [
        {"Normal": 0, "DoS": 1, "Scan": 1, "Worm": 1},
        {"Normal": 0.0, "DoS": None, "Scan": None, "Worm": None},
        {"Normal": 0.25, "DoS": 0.5, "Scan": 0.5, "Worm": 0.5},
        {"Normal": 0, "DoS": 1, "Scan": 2, "Worm": 3},
        {"Normal": "no", "DoS": "yes", "Scan": "yes", "Worm": "yes"},
    ],
    ids=["flag", "missing", "fraction", "numbered", "text"],
)
def test_a_column_that_the_label_settles_is_found(groups):
    label = labels(**ATTACKS)
    assert leaks(label, kind=label.map(groups)) == {"kind": SETTLED}


@pytest.mark.parametrize("dtype", ["category", "object", "str"])
@pytest.mark.parametrize("normal", ["Normal", None], ids=["named", "missing"])
def test_a_column_that_settles_the_label_is_found(dtype, normal):
    attack = labels(**ATTACKS)
    label = pd.Series(np.where(attack == "Normal", 0, 1))
    names = attack.mask(attack == "Normal", normal).astype(dtype)
    assert leaks(label, attack=names) == {"attack": "each of its 4 values in one class only"}
    numbers = attack.map({name: 7 * place for place, name in enumerate(ATTACKS)})
    assert leaks(label, attack=numbers) == {"attack": "each of its 4 values in one class only"}


def test_one_row_that_says_otherwise_clears_a_column():
    attack = labels(**ATTACKS)
    label = attack.ne("Normal").astype(int)
    last = attack.index[attack == "Normal"][-1]
    for found, other in ((attack, label), (label, attack)):
        assert leaks(found, other=other)
        changed = other.copy()
        changed[last] = other[other != other[last]].iloc[0]
        assert leaks(found, other=changed) == {}


def test_every_row_counts_of_a_large_table():
    label = labels(Normal=30_000, DoS=9_000, Scan=1_000)
    flag = label.ne("Normal").astype(int)
    assert leaks(label, flag=flag) == {"flag": SETTLED}
    for row in label.index[label == "Normal"][[3, 7_001, -2]]:
        assert leaks(label, flag=flag.mask(label.index == row, 1)) == {}


def test_a_flag_of_one_rare_class_is_a_feature_and_one_of_normal_traffic_is_not():
    counts = {"Normal": 600, "DoS": 300, "Scan": 90}
    label = labels(**counts)
    assert leaks(label, no_answer=label.eq("Scan")) == {}
    assert leaks(label, flag=label.eq("Normal")) == {"flag": SETTLED}
    botnet = labels(normal=90, DoS=600, Scan=300)
    assert leaks(botnet, flag=botnet.eq("normal")) == {"flag": SETTLED}


@pytest.mark.parametrize("values", ["continuous", "identifier", "pair", "constant", "many"])
def test_values_that_are_many_or_one_are_no_names_of_attacks(values):
    label = labels(Normal=1_500, DoS=1_500)
    by_class = label.eq("DoS").to_numpy()
    place = pd.Series(np.arange(len(label))).groupby(by_class).rank().to_numpy(dtype=int) - 1
    column = {
        "continuous": (place % 4 + 10 * by_class) / 8,  # repeated fractions, each in one class
        "identifier": pd.Categorical([f"flow-{i * 7919 % 3_001}" for i in range(len(label))]),
        "pair": pd.Categorical([f"{one}-{i // 2}" for one, i in zip(label, place, strict=True)]),
        "constant": np.ones(len(label)),
        "many": place % 60 + 100 * by_class,
    }[values]
    assert leaks(label, column=column) == {}


@pytest.mark.parametrize(
    "counts",
    [
        {"Normal": 5, "DoS": 5},
        {"Normal": 900, "DoS": 9},
        {"Normal": 900} | {f"kind {i}": 2 for i in range(50)},
    ],
    ids=["few rows", "one small class", "small classes"],
)
def test_what_few_rows_say_may_be_chance(counts):
    label = labels(**counts)
    assert leaks(label, flag=label.ne("Normal")) == {}
    assert leaks(label.ne("Normal"), name=label.astype("category")) == {}


def test_a_column_that_counts_the_rows_is_found():
    label = labels(**ATTACKS)
    numbers, n = np.arange(len(label)), len(label)
    found = leaks(
        label,
        id=numbers + 1,
        whole=numbers.astype(float),
        odd=numbers * 2,
        shuffled=np.random.default_rng(0).permutation(n),
        down=-numbers,
        held=numbers // 2,
        time=numbers + 0.5,
    )
    assert found == {"id": "counts the rows", "whole": "counts the rows"}


def test_a_count_may_lack_rows_and_begin_anew_where_files_were_joined():
    label = labels(Normal=3_000, DoS=1_000)
    joined = np.concatenate([np.arange(2_500), np.arange(1_500)])
    assert leaks(label, id=joined) == {"id": "counts the rows"}
    assert leaks(label, often=np.arange(4_000) % 100) == {}
    drawn = np.sort(np.random.default_rng(0).choice(40_000, 4_000, replace=False))
    assert leaks(label, id=drawn, of=40_000) == {"id": "counts the rows"}
    assert leaks(label, id=drawn) == {}
    assert leaks(labels(Normal=6, DoS=4), id=np.arange(10)) == {}


def test_the_note_names_each_column_what_is_odd_and_the_option_that_leaves_them_out():
    label = labels(**ATTACKS)
    frame = pd.DataFrame({"class 2": label.ne("Normal"), "id": range(len(label)), "x": 1.0, "label": label})
    table = Table(frame, Schema.infer(frame.drop(columns="label")), "label")
    assert leak_note(table) == (
        "Columns that may give the label 'label' away: 'class 2' (one value in all rows of each class), 'id' "
        "(counts the rows); --drop 'class 2,id' leaves them out, unless a detector is to have them."
    )
    assert leak_note(Table(frame, Schema.infer(frame[["x"]]), "label")) == ""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows", [600, 10_000])
def test_the_simulated_gas_pipeline_gives_nothing_away(rows, seed):
    assert find_leaks(load_table(SIMULATED, rows=rows, seed=seed)) == {}


def real(name, **options):
    return find_leaks(load_table(str(Path(DATA) / name), **options))


@pytest.mark.skipif(not DATA, reason="RAREFLOW_DATA names no folder of real tables")
def test_of_real_tables_only_one_with_two_labels_gives_one_away():
    assert real("gas_pipeline_10pct.parquet", recipe="gas-pipeline") == {}
    assert real("cicids2017_assembled.parquet", recipe="cic-ids-2017") == {}
    kdd = "kddcup99_10percent.parquet"
    assert real(kdd, label="label", drop=["category"]) == {}
    assert real(kdd, label="label") == {"category": SETTLED}
    assert real(kdd, label="category") == {"label": "each of its 23 values in one class only"}
