"""A table had frame by frame is the table had at once, and a sample of it keeps what is rare."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rareflow.data import source
from rareflow.data.card import data_card
from rareflow.data.load import load_table, open_table
from rareflow.data.sample import quotas
from rareflow.data.survey import Survey
from rareflow.errors import ConfigError, RareflowError
from rareflow.generators.estimators import VAEWGANGP
from tests.data.reading import read_frame

WHOLE = 10**9
NOW = dt.date(2017, 7, 3)


def gaps(values, kind):
    return st.lists(st.one_of(st.none(), values), min_size=9, max_size=9).map(lambda v: pa.array(v, kind))


@pytest.mark.parametrize("values", [[0.5, 2.5], ["tcp", "udp"], [np.inf, 1.0]])
def test_a_sample_may_miss_every_value_of_a_column_and_a_generator_learns_it_all_the_same(tmp_path, values):
    gap = [*values, *[None] * 1998]
    frame = pd.DataFrame({"x": range(2000), "gap": gap, "label": ["a", "b"] * 1000})
    frame.to_parquet(tmp_path / "t.parquet")
    text = ["gap"] if values[0] == "tcp" else []
    how = {"sample_rows": 100, "infinities": "missing", "categorical": text}
    table = load_table(str(tmp_path / "t.parquet"), label="label", **how)
    assert table.X["gap"].isna().all()
    assert "| gap |" in data_card(table)
    forged = VAEWGANGP(steps=1, random_state=0).fit(table.X, table.y).sample("a", 5, random_state=0)
    assert forged["gap"].isna().all()
    assert forged["gap"].dtype == table.X["gap"].dtype


COLUMNS = {
    "whole": gaps(st.integers(-3, 3), pa.int64()),
    "large": gaps(st.integers(2**53, 2**53 + 9), pa.int64()),
    "byte": st.lists(st.integers(0, 9), min_size=9, max_size=9).map(lambda v: pa.array(v, pa.int8())),
    "real": gaps(st.sampled_from([0.5, 1.0, -2.0, np.nan, np.inf, 1e38]), pa.float64()),
    "single": gaps(st.sampled_from([0.5, 1.0]), pa.float32()),
    "flag": gaps(st.booleans(), pa.bool_()),
    "text": gaps(st.sampled_from(["tcp", "udp", "7", "8"]), pa.string()),
    "nominal": gaps(st.sampled_from(["a", "b", "c"]), pa.string()).map(lambda a: a.dictionary_encode()),
    "day": gaps(st.sampled_from([NOW, NOW + dt.timedelta(1)]), pa.date32()),
    "none": st.just(pa.nulls(9)),
}


@st.composite
def files(draw):
    """One to three files of 9 rows each; a column's kind is the same in all, or nearly."""
    names = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=5, unique=True))
    labels = st.lists(st.sampled_from(["a", "a", "b", "c", None]), min_size=9, max_size=9)
    return [
        pa.table(
            {name: draw(COLUMNS[name]) for name in names} | {"label": pa.array(draw(labels), pa.string())}
        )
        for _ in range(draw(st.integers(1, 3)))
    ]


@pytest.fixture
def outcome(monkeypatch):
    """Load the files of a folder with frames of so many rows: all that comes of it, or the refusal."""

    def load(folder, batch_rows, **options):
        monkeypatch.setattr(source, "BATCH_ROWS", batch_rows)
        try:
            table = load_table(str(folder), label="label", **options)
        except RareflowError as err:
            return str(err)
        return table

    return load


def same(one, other):
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return
    pd.testing.assert_frame_equal(one.frame, other.frame)
    for fact in ("schema", "notes", "digest", "class_counts", "name"):
        assert getattr(one, fact) == getattr(other, fact), fact
    assert list(one.class_counts) == list(other.class_counts)


def write(folder, tables, group=4):
    for old in folder.glob("*.parquet"):
        old.unlink()
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=group)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    files(),
    st.integers(2, 10),
    st.sampled_from(["", "missing", "drop"]),
    st.sampled_from(["error", "drop", "merge", "keep"]),
    st.booleans(),
)
def test_frames_of_any_size_give_the_table_or_the_refusal_that_one_frame_gives(
    tmp_path, outcome, tables, batch_rows, infinities, rare_classes, declared
):
    names = [name for name in ("text", "whole", "day", "nominal") if name in tables[0].column_names]
    options = {
        "infinities": infinities,
        "rare_classes": rare_classes,
        "categorical": names if declared else [],
        "drop": ["none"] if "none" in tables[0].column_names and declared else [],
    }
    write(tmp_path, tables)
    frames = outcome(tmp_path, batch_rows, **options)
    write(tmp_path, tables, group=100)
    same(frames, outcome(tmp_path, WHOLE, **options))


@pytest.mark.parametrize("batch_rows", [1, 3, 7, 100])
@pytest.mark.parametrize("statistics", [True, False])
def test_a_written_frame_is_read_back_bit_for_bit_whatever_the_frames_size(
    tmp_path, monkeypatch, batch_rows, statistics
):
    monkeypatch.setattr(source, "BATCH_ROWS", batch_rows)
    frame = pd.DataFrame(
        {
            "gap": [1.0, 2.0, 3.0, 4.0, None, 6.0, 7.0, 8.0],
            "whole": range(8),
            "nullable": pd.array([1, 2, 3, None, 5, 6, 7, 8], dtype="Int64"),
            "flag": pd.array([True] * 7 + [None], dtype="boolean"),
            "truth": [True, False] * 4,
            "few": pd.Categorical(list("abcabcab"), categories=list("zcba")),
            "numbers": pd.Categorical([3, 1, 3, 9, 3, 3, 3, 2]),
            "text": ["x", None] * 4,
            "at": pd.Timestamp("2017-07-03"),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=5, write_statistics=statistics)
    pd.testing.assert_frame_equal(read_frame(str(tmp_path / "t.parquet")), frame)


@pytest.mark.parametrize("batch_rows", [1, 4])
def test_an_index_that_counts_goes_on_counting_from_frame_to_frame(tmp_path, monkeypatch, batch_rows):
    monkeypatch.setattr(source, "BATCH_ROWS", batch_rows)
    frame = pd.DataFrame({"x": range(9)}, index=pd.RangeIndex(5, 23, 2, name="flow"))
    frame.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_frame(str(tmp_path / "t.parquet")), frame.reset_index())


@pytest.fixture
def gas(tmp_path):
    """A table of the gas recipe in three files, with what its recipe, its gaps and blank rows call for."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["0", "1", "NMR", "dos"], [60, 20, 8, 2])
    frame = pd.DataFrame(
        {
            "time": rng.random(90),
            "length": pd.array(rng.integers(0, 5, 90), dtype="int16"),
            "gap": np.where(np.arange(90) == 70, np.nan, 1.0),
            "pump": rng.random(90) < 0.5,
            "result": rng.permutation(labels),
        }
    )
    for number in range(3):
        part = pa.Table.from_pandas(frame.iloc[30 * number : 30 * (number + 1)], preserve_index=False)
        blank = pa.table([pa.nulls(number, field.type) for field in part.schema], schema=part.schema)
        pq.write_table(pa.concat_tables([part, blank]), tmp_path / f"{number}.parquet", row_group_size=12)
    return str(tmp_path)


@pytest.mark.parametrize("batch_rows", [4, 64])
def test_a_recipes_table_and_its_card_are_the_same_frame_by_frame(gas, monkeypatch, batch_rows):
    whole = load_table(gas, recipe="gas-pipeline")
    monkeypatch.setattr(source, "BATCH_ROWS", batch_rows)
    stream = open_table(gas, recipe="gas-pipeline")
    assert max(map(len, stream.frames())) <= batch_rows, "no frame larger than asked for is ever held"
    same(stream.table(), whole)
    survey = Survey(stream)
    frames = list(survey.watch(stream.frames()))
    pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), whole.frame)
    assert data_card(survey) == data_card(whole)
    assert any("blank rows" in note for note in whole.notes)


def test_the_card_of_a_larger_table_is_the_same_but_for_its_digest(gas, monkeypatch):
    table = load_table(gas, recipe="gas-pipeline")
    whole = data_card(table).splitlines()
    monkeypatch.setattr("rareflow.data.survey._DIGESTED_ROWS", 10)
    monkeypatch.setattr(source, "BATCH_ROWS", 50)
    cards = []
    for batch_rows in (50, 11):
        monkeypatch.setattr(source, "BATCH_ROWS", batch_rows)
        stream = open_table(gas, recipe="gas-pipeline")
        survey = Survey(stream)
        list(survey.watch(stream.frames()))
        cards.append(data_card(survey).splitlines())
    assert cards[0] == cards[1]
    (other,) = [line for line in cards[0] if line not in whole]
    assert other.startswith("- Digest (SHA-256 of the columns, each digested by itself): `")
    assert table.digest not in other


@pytest.mark.parametrize("batch_rows", [2, WHOLE])
def test_refusals_count_rows_over_all_frames(tmp_path, outcome, batch_rows):
    frame = pd.DataFrame({"gain": list("123456x"), "late": [1.0] * 6 + [np.inf], "label": ["a"] * 6 + [None]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert outcome(tmp_path, batch_rows).startswith(
        "text in columns that nobody declared: 'gain' ('x' among numbers, row 7); add --categorical gain"
    )
    unlabelled = outcome(tmp_path, batch_rows, drop=["gain"], infinities="missing")
    assert unlabelled.startswith("column 'label': 1 rows have no label, the first is row 7;")


@given(st.lists(st.integers(1, 60), min_size=1, max_size=9), st.data())
def test_quotas_add_up_and_cut_only_the_largest_classes_to_one_size(sizes, data):
    size = np.array(sizes)
    max_rows = data.draw(st.integers(len(sizes), int(size.sum())))
    quota = quotas(size, max_rows)
    assert quota.sum() == max_rows
    assert (quota <= size).all()
    cut = quota[quota < size]
    if len(cut):
        assert cut.max() - cut.min() <= 1
        assert (quota <= cut.max() + 1).all() or (size[quota > cut.max()] == quota[quota > cut.max()]).all()
        assert (size[quota < cut.min()] == quota[quota < cut.min()]).all()
        assert quota.max() <= cut.min() + 1


@pytest.fixture
def skewed(tmp_path):
    rng = np.random.default_rng(1)
    labels = np.repeat(["Normal", "DOS", "Recon", "NMRI"], [800, 150, 40, 3])
    frame = pd.DataFrame({"row": range(993), "label": rng.permutation(labels)})
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    return str(tmp_path / "t.parquet")


def test_a_sample_has_the_rows_asked_for_and_every_row_of_the_rare_classes(skewed):
    table = load_table(skewed, label="label", sample_rows=200)
    assert len(table) == 200
    assert table.class_counts == {"Normal": 79, "DOS": 78, "Recon": 40, "NMRI": 3}
    whole = load_table(skewed, label="label").frame
    rows = table.frame["row"].to_numpy()
    assert (np.diff(rows) > 0).all(), "in the order of the file, none twice"
    pd.testing.assert_frame_equal(whole.iloc[rows].reset_index(drop=True), table.frame)
    (note,) = table.notes
    assert note == (
        "A sample of 200 of 993 rows (--sample-rows): random rows were left out, 721 of 800 of class "
        "'Normal', 72 of 150 of class 'DOS'; every other class is whole."
    )


def test_equal_seeds_draw_equal_samples_whatever_the_frames_and_others_differ(skewed, monkeypatch):
    first = load_table(skewed, label="label", sample_rows=200, seed=3)
    monkeypatch.setattr(source, "BATCH_ROWS", 13)
    again, other = (load_table(skewed, label="label", sample_rows=200, seed=seed) for seed in (3, 4))
    assert again.digest == first.digest
    assert other.digest != first.digest
    assert other.class_counts == first.class_counts


def test_every_row_of_a_thinned_class_is_drawn_about_equally_often(skewed):
    drawn = np.zeros(993)
    for seed in range(60):
        drawn[load_table(skewed, label="label", sample_rows=200, seed=seed).frame["row"]] += 1
    normal = load_table(skewed, label="label").labels == "Normal"
    share = drawn[normal] / 60
    assert abs(share.mean() - 79 / 800) < 1e-9 + 1 / 800
    assert share.max() < 0.35
    early, late = (half.mean() for half in np.array_split(share, 2))
    assert abs(early - late) < 0.02


def test_a_table_of_no_more_rows_than_asked_for_is_whole(skewed):
    whole = load_table(skewed, label="label")
    for max_rows in (993, 10**6):
        same(load_table(skewed, label="label", sample_rows=max_rows), whole)


def test_a_sample_too_small_for_its_classes_is_refused(skewed):
    with pytest.raises(ConfigError, match="--sample-rows 7 leaves less than 2 rows for each of 4 classes"):
        load_table(skewed, label="label", sample_rows=7)


def test_a_sample_counts_classes_after_the_rows_that_are_dropped(tmp_path):
    frame = pd.DataFrame({"x": [np.inf] * 50 + [1.0] * 50 + [2.0] * 4, "label": ["a"] * 100 + ["b"] * 4})
    frame.to_parquet(tmp_path / "t.parquet")
    table = load_table(str(tmp_path / "t.parquet"), label="label", infinities="drop", sample_rows=20)
    assert table.class_counts == {"a": 16, "b": 4}


def test_what_is_held_of_a_table_while_it_is_checked_and_sampled_does_not_grow_with_it(skewed, monkeypatch):
    monkeypatch.setattr(source, "BATCH_ROWS", 10)
    held = []
    original = pd.concat
    monkeypatch.setattr(
        pd, "concat", lambda frames, **how: held.append(sum(map(len, frames))) or original(frames, **how)
    )
    load_table(skewed, label="label", sample_rows=20)
    assert max(held) < 500, "labels and the sample are put together, never the table"
