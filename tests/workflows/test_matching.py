import numpy as np
import pandas as pd
import pytest

from rareflow.data.load import open_table
from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.errors import DataError
from rareflow.generators.estimators import VAEWGANGP
from rareflow.workflows.matching import known_rows, match_generator, match_test_part, repeated_rows


def table(**columns):
    """A table of 12 rows in two classes; columns given replace its own."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "length": np.arange(12),
            "pressure": rng.normal(size=12),
            "pump": np.arange(12) % 3 > 0,
            "mode": pd.Categorical(["auto", "off"] * 6),
            "result": ["Normal"] * 8 + ["DOS"] * 4,
        }
    ).assign(**columns)
    frame = frame[[name for name in frame.columns if columns.get(name, 0) is not None]]
    return Table(frame, Schema.infer(frame.drop(columns="result")), "result")


def generator(**columns):
    made = table(**columns)
    return VAEWGANGP(steps=1, hidden_dim=8, random_state=0).fit(made.X, made.y).generator_


def augmented(given, forger):
    matched = match_generator(given, forger).frame
    wanted = pd.DataFrame({"label": forger.classes[:1], "count": [5]})
    forged = forger.table(wanted, seed=0)[list(matched.columns)]
    pd.testing.assert_frame_equal(
        forged.astype(matched.dtypes), forged, check_dtype=False, check_categorical=False
    )
    return matched


def test_a_table_of_the_generators_own_form_stays_as_it_is():
    given = table()
    pd.testing.assert_frame_equal(augmented(given, generator()), given.frame)


def test_whole_numbers_widen_where_training_had_others_and_stay_where_it_had_not():
    length = pd.Series([np.nan, *range(11)])
    matched = augmented(table(), generator(length=length))
    assert matched["length"].dtype == np.float64
    assert matched["length"].tolist() == list(range(12))
    matched = augmented(table(length=length), generator())
    assert matched["length"].dtype == np.float64
    pd.testing.assert_series_equal(matched["length"], length, check_names=False)


def test_categories_of_both_sides_are_legal_and_no_value_is_lost():
    given = table(mode=pd.Categorical(["manual", "off"] * 6))
    matched = augmented(given, generator())
    assert set(matched["mode"].cat.categories) == {"auto", "manual", "off"}
    assert matched["mode"].tolist() == given.frame["mode"].tolist()


def test_text_and_categories_of_text_go_together():
    text = ["auto", "off"] * 6
    assert augmented(table(mode=text), generator())["mode"].tolist() == text
    assert augmented(table(), generator(mode=text))["mode"].tolist() == text


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pump": None, "mode": None}, "the table lacks the columns 'mode', 'pump', which the one"),
        ({"rate": 1.0}, "the table has the columns 'rate', which the one that --model was trained on lacks"),
        ({"length": pd.Categorical(range(12))}, "column 'length' holds category in the table and int64 in"),
    ],
)
def test_a_table_of_another_form_is_refused_with_the_options_that_mend_it(changes, complaint):
    with pytest.raises(DataError) as caught:
        match_generator(table(**changes), generator())
    assert complaint in str(caught.value)
    assert "(--recipe, --label, --drop, --categorical)" in str(caught.value)


def test_a_column_of_truths_beside_one_of_numbers_is_refused_with_how_to_write_it():
    with pytest.raises(DataError) as caught:
        match_generator(table(pump=1), generator())
    assert str(caught.value) == (
        "column 'pump' holds int64 in the table and bool in the one that --model was trained on; write it "
        "alike in both, as true and false or as 1 and 0"
    )


def test_a_class_that_the_generator_does_not_know_is_refused_with_those_it_knows():
    with pytest.raises(
        DataError, match="classes that are unknown to --model: 'Recon'; it knows DOS, Normal: read"
    ):
        match_generator(table(result=["Normal"] * 8 + ["Recon"] * 4), generator())


def test_a_test_part_of_the_training_tables_form_passes_with_fewer_classes_and_other_categories():
    other = table(mode=pd.Categorical(["manual", "off"] * 6), length=np.arange(12) / 2)
    for given in (other, table(result="Normal")):
        pd.testing.assert_frame_equal(match_test_part(table(), given).frame, given.frame)


def opened(given, folder):
    """The same test part, not held."""
    given.frame.to_parquet(folder / "t.parquet")
    return open_table(str(folder / "t.parquet"), label="result", test_of=list(given.frame))


def test_columns_of_a_test_part_that_share_no_category_with_training_are_told(tmp_path):
    strange = table(mode=pd.Categorical(["AUTO", "OFF"] * 6))
    for given in (strange, opened(strange, tmp_path)):
        (note,) = match_test_part(table(), given).notes
        assert note.startswith("No value that the test file has in 'mode' occurs in the training table")
    assert match_test_part(table(), table(mode=pd.Categorical(["auto", "OFF"] * 6))).notes == ()


OWN_CLASSES = ["Normal"] * 5 + ["Recon"] * 4 + ["MPCI"] + ["Recon"] * 2


def test_a_test_part_with_classes_of_its_own_is_refused_with_all_of_them_and_their_rows():
    said = r"classes that occur in the test part only: 'Recon' \(6 rows\), 'MPCI' \(1 rows\); no detector"
    with pytest.raises(DataError, match=said):
        match_test_part(table(), table(result=OWN_CLASSES))


def test_rows_of_classes_of_its_own_are_left_out_of_a_test_part_where_asked_and_counted(tmp_path):
    held = table(result=OWN_CLASSES)
    for given in (held, opened(held, tmp_path)):
        matched = match_test_part(table(), given, unseen_classes="drop")
        assert dict(matched.class_counts) == {"Normal": 5}
        left = matched if given is held else matched.table()
        pd.testing.assert_frame_equal(left.frame, held.frame[:5])
        assert matched.notes == (
            "7 rows were left out: the training table has no row of their class, 'Recon' (6 rows), 'MPCI' "
            "(1 rows).",
        )
    own = table()
    same = match_test_part(own, own, unseen_classes="drop")
    assert (same.frame is own.frame, same.notes) == (True, ())


def test_what_is_left_has_the_training_tables_labels_also_beside_classes_that_are_left_out():
    train = table(result=["0"] * 8 + ["1"] * 4)
    matched = match_test_part(train, table(result=[0, 1, 2] * 4), unseen_classes="drop")
    assert matched.frame["result"].tolist() == ["0", "1"] * 4
    assert matched.frame["length"].tolist() == [row for row in range(12) if row % 3 < 2]


def test_rows_of_classes_that_were_dropped_and_that_never_were_are_told_apart(tmp_path):
    given = opened(table(result=OWN_CLASSES), tmp_path)
    matched = match_test_part(table(), given, {"MPCI": None}, unseen_classes="drop")
    assert dict(matched.class_counts) == {"Normal": 5}
    assert matched.notes == (
        "1 rows were left out: their class has one row in the training table.",
        "6 rows were left out: the training table has no row of their class, 'Recon' (6 rows).",
    )


def test_a_test_part_of_nothing_but_classes_of_its_own_is_refused_all_the_same():
    given = table(result=["Recon", "MPCI"] * 6)
    with pytest.raises(DataError, match="holds no row of a class that the training table keeps, which are N"):
        match_test_part(table(), given, unseen_classes="drop")


def test_a_test_part_without_a_row_of_a_class_that_is_kept_is_refused(tmp_path):
    pd.concat([table().frame.assign(result=name) for name in "ab"]).to_parquet(tmp_path / "t.parquet")
    test = open_table(str(tmp_path / "t.parquet"), label="result", test_of=list(table().frame))
    with pytest.raises(DataError, match="holds no row of a class that the training table keeps, which are"):
        match_test_part(table(), test, {"a": None, "b": None})


def ports(*values):
    return pd.Categorical([*values] * (12 // len(values)))


TEXT, NUMBERS = ports("80", "443", "http"), ports(80, 443, 22)


def test_numbers_go_by_the_text_that_they_have_in_the_generators_table():
    given = table(mode=ports(80.0, 8080.0, np.nan))
    matched = augmented(given, generator(mode=TEXT))["mode"]
    assert matched.astype(object).tolist() == ["80", "8080", np.nan] * 4
    assert set(matched.cat.categories) == {"80", "443", "http", "8080"}


def test_text_goes_by_the_numbers_that_it_is_in_the_generators_table_and_other_text_is_refused():
    matched = augmented(table(mode=ports("80", "443", "22")), generator(mode=NUMBERS))["mode"]
    assert matched.tolist() == [80, 443, 22] * 4
    with pytest.raises(
        DataError, match="column 'mode' holds the text 'http' in the table and numbers in the"
    ):
        match_generator(table(mode=TEXT), generator(mode=NUMBERS))


def test_labels_go_by_the_values_that_they_have_in_the_generators_table():
    number = augmented(table(result=[0.0] * 8 + [1.0] * 4), generator(result=["0"] * 8 + ["1"] * 4))
    assert number["result"].tolist() == ["0"] * 8 + ["1"] * 4


def test_rows_that_a_generator_was_trained_on_are_known_whether_a_category_is_text_or_a_number():
    forger = generator(mode=ports("80", "443"))
    train = match_generator(table(mode=ports(80, 443)).take(np.arange(9)), forger)
    assert known_rows(forger, train, match_test_part(train, table(mode=ports(80, 443)))) == 3


def test_test_rows_that_a_generator_was_trained_on_are_counted_unless_the_training_part_has_them_too():
    whole = table()
    forger = VAEWGANGP(steps=1, hidden_dim=8, random_state=0).fit(whole.X, whole.y).generator_
    first, last = whole.take(np.arange(7)), whole.take(np.arange(7, 12))
    assert known_rows(forger, first, last) == 5
    assert known_rows(forger, whole, last) == 0
    unseen = table(pressure=np.random.default_rng(1).normal(size=12))
    assert known_rows(forger, first, unseen) == 0


def test_test_rows_that_equal_a_training_row_label_included_are_counted_each_time_they_occur():
    whole = table()
    assert repeated_rows(whole.take(np.arange(7)), whole.take(np.array([5, 6, 6, 7]))) == 3
    relabelled = table(result=["DOS"] * 4 + ["Normal"] * 8)
    assert repeated_rows(whole, relabelled) == 4, "rows 4 to 7 are Normal in both"


def test_a_generator_gives_its_training_rows_back_as_they_are():
    odd = table(length=pd.Series([np.nan, *range(11)]), pump=True)
    forger = VAEWGANGP(steps=1, hidden_dim=8, random_state=0).fit(odd.X, odd.y).generator_
    own = forger.real_rows().rename(columns={"y": "result"})
    by_class = odd.frame.sort_values("result", kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(own[list(odd.frame.columns)], by_class)
