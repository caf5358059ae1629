import numpy as np
import pandas as pd
import pytest

from rareflow.data.load import SIMULATED, load_table, open_table
from rareflow.data.schema import MAX_CATEGORIES, Kind
from rareflow.errors import ConfigError, DataError


def column(table, name):
    return next(each for each in table.schema.columns if each.name == name)


@pytest.fixture
def frame():
    return pd.DataFrame({"rate": [0.5, 1.5, 2.5, 3.5], "count": [1, 2, 3, 4], "label": ["a", "a", "b", "b"]})


@pytest.fixture
def load(tmp_path):
    def load_frame(frame, **options):
        path = tmp_path / "My traffic.parquet"
        frame.to_parquet(path)
        return load_table(str(path), **{"label": "label", **options})

    return load_frame


@pytest.fixture
def refusal(load):
    def message(frame, error=DataError, **options):
        with pytest.raises(error) as caught:
            load(frame, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return message


def test_a_file_becomes_a_table_named_after_it(load, frame):
    table = load(frame)
    pd.testing.assert_frame_equal(table.frame, frame)
    assert table.name == "my-traffic"
    assert table.schema.names == ["rate", "count"]
    assert table.notes == ()
    assert not table.simulated


@pytest.mark.parametrize(("glob", "name"), [("day-*.csv.gz", "day"), ("", "run-7"), ("*.csv.gz", "table")])
def test_a_glob_and_a_folder_give_their_names(tmp_path, frame, glob, name):
    folder = tmp_path / "Run_7"
    folder.mkdir()
    frame.to_csv(folder / "day-1.csv.gz", index=False)
    assert load_table(str(folder / glob), label="label").name == name


def test_empty_texts_leave_options_unset(load, frame):
    table = load(frame, recipe="", drop=[""], categorical=[""], infinities="", rare_classes="")
    pd.testing.assert_frame_equal(table.frame, frame)


def test_the_simulated_pipeline_is_the_real_ones_table():
    table = load_table(SIMULATED, rows=2000, seed=3)
    assert (table.name, table.label, table.schema.clocks) == ("gas-pipeline", "result", ("time",))
    assert table.simulated
    assert len(table) == 2000
    assert len(table.schema.names) == 26
    assert table.digest == load_table(SIMULATED, rows=2000, seed=3).digest
    assert table.digest != load_table(SIMULATED, rows=2000, seed=4).digest
    assert len(load_table(SIMULATED)) == 10_000


@pytest.mark.parametrize("name", ["seed", "sample_rows"])
@pytest.mark.parametrize("value", [-1, 300.5, "5"])
def test_a_seed_and_a_number_of_rows_are_whole_numbers(refusal, frame, name, value):
    least = {"seed": 0, "sample_rows": 1}[name]
    said = refusal(frame, ConfigError, **{name: value})
    assert said == f"{name}={value!r} must be a whole number of at least {least}"


def test_no_columns_may_be_given_as_none(load, frame):
    pd.testing.assert_frame_equal(load(frame, drop=None, categorical=None).frame, frame)


def test_rows_are_for_the_simulated_pipeline_only(refusal, frame):
    assert refusal(frame, ConfigError, rows=5) == f"--rows 5 is for --data {SIMULATED} only; leave it out"


def test_an_unknown_choice_is_refused(refusal, frame):
    said = refusal(frame, ConfigError, infinities="zero")
    assert said == "--infinities 'zero' is unknown; choose --infinities missing|drop"
    said = refusal(frame, ConfigError, rare_classes="spare")
    assert said == "--rare-classes 'spare' is unknown; choose --rare-classes error|drop|merge|keep"
    assert "unknown recipe 'kdd'" in refusal(frame, ConfigError, recipe="kdd")


def test_without_a_label_the_last_column_is_offered(refusal, frame):
    said = "no label column is given; add --label NAME, as in --label label (the last column)"
    assert refusal(frame, label="") == refusal(frame, label=None) == said


def test_a_missing_label_column_is_refused_with_near_names_or_all(refusal, frame):
    assert refusal(frame, label="Labels") == "no label column 'Labels'; did you mean label?"
    assert refusal(frame, label="class") == "no label column 'class'; the columns are rate, count, label"


def test_a_label_that_is_left_out_or_occurs_twice_is_refused(tmp_path, refusal, frame):
    said = "the column 'label' is given twice, as --label and in --drop; take it out of one"
    assert refusal(frame, drop=["label"]) == said
    path = tmp_path / "t.csv"
    path.write_text("x,label, label\n1,a,a\n2,a,a\n3,b,b\n4,b,b\n")
    with pytest.raises(DataError, match=r"'label' occurs twice .* leave one out with --drop label\.1"):
        load_table(str(path), label="label")
    assert load_table(str(path), label="label", drop=["label.1"]).schema.names == ["x"]


def test_dropped_columns_are_left_out_with_a_note_and_unknown_ones_refused(load, refusal, frame):
    table = load(frame, drop=["count"])
    assert table.schema.names == ["rate"]
    assert table.notes == ("Columns were left out as asked: count.",)
    assert refusal(frame, drop=["Count"]) == "--drop: no column 'Count'; did you mean count?"
    assert "--categorical: no column 'x'; the columns are" in refusal(frame, categorical=["x"])


def test_a_column_that_the_recipe_leaves_out_may_be_dropped_and_declared_too(load):
    frame = pd.DataFrame({"Flow ID": list("wxyz"), "x": range(4), "Label": ["Bot", "Bot", "DDoS", "DDoS"]})
    table = load(frame, label="", recipe="cic-ids-2017", drop=["Flow ID"])
    assert table.schema.names == ["x"]
    assert load(frame, label="", recipe="cic-ids-2017", categorical=["Flow ID"]).schema.names == ["x"]


def test_a_table_needs_a_feature(refusal, frame):
    said = "no column is left beside the label 'label'; leave fewer out with --drop"
    assert refusal(frame, drop=["rate", "count"]) == said


def test_rows_without_a_label_are_refused_with_the_first(refusal, frame):
    frame.loc[[1, 3], "label"] = None
    assert refusal(frame) == (
        "column 'label': 2 rows have no label, the first is row 2; "
        "label these rows or remove them from the file (in a CSV NA, NULL, nan and n/a stand for nothing: "
        "give such a class another name)"
    )


def test_one_class_only_is_refused(refusal, frame):
    assert "column 'label' holds one class only, ['a']: there is nothing" in refusal(frame.assign(label="a"))
    lone = frame.assign(label=["a", "a", "a", "b"])
    assert "holds one class only, ['a']" in refusal(lone, rare_classes="drop")


@pytest.fixture
def rare(frame):
    return pd.concat([frame, pd.DataFrame({"rate": [4.5, 5.5], "count": [5, 6], "label": ["c", "d"]})])


def test_classes_of_one_row_are_refused_with_both_remedies(refusal, rare):
    assert refusal(rare) == (
        "classes of one row in the whole table, which no split can both train and test: 'c', 'd'; "
        "add --rare-classes drop, or --rare-classes merge to make them one class"
    )


@pytest.mark.parametrize("dtype", ["str", "category"])
def test_classes_of_one_row_can_be_dropped_or_merged(load, rare, dtype):
    rare = rare.astype({"label": dtype})
    dropped, merged = load(rare, rare_classes="drop"), load(rare, rare_classes="merge")
    assert dropped.class_counts == {"a": 2, "b": 2}
    assert list(dropped.frame.index) == [0, 1, 2, 3]
    assert dropped.notes == ("Classes of one row were dropped: 'c', 'd'.",)
    assert merged.class_counts == {"Rare": 2, "a": 2, "b": 2}
    assert merged.notes == ("Classes of one row were merged into 'Rare': 'c', 'd'.",)


def test_numbers_in_a_label_keep_their_dtype(load, frame):
    table = load(frame.assign(label=np.array([10, 10, 9, 9], dtype=np.int8)))
    assert table.y.dtype == np.int8
    assert table.class_counts == {"10": 2, "9": 2}


def test_merging_one_class_of_one_row_is_refused_unless_rare_exists(load, refusal, frame):
    lone = pd.concat([frame, frame[:1].assign(label="c")])
    said = "only one class has one row, 'c': merged, it would still have one; use --rare-classes drop"
    assert refusal(lone, rare_classes="merge") == said
    assert "only one class has one row, 'Rare'" in refusal(lone.replace("c", "Rare"), rare_classes="merge")
    assert load(lone.replace("a", "Rare"), rare_classes="merge").class_counts == {"Rare": 3, "b": 2}


def test_a_class_of_one_row_that_merging_would_leave_alone_is_refused_with_the_one_remedy(refusal, rare):
    lone = rare[:-1]
    assert refusal(lone).endswith("both train and test: 'c'; add --rare-classes drop")
    assert refusal(lone.replace("a", "Rare")).endswith("merge to make them one class")


def test_different_whole_numbers_that_floats_cannot_tell_apart_are_refused_unless_they_are_names(
    load, refusal, frame
):
    large = 2**53 + 1
    ids = frame.assign(id=[large, large + 2, large, large], far=[0, -large, 0, 0], flag=large)
    assert refusal(ids) == (
        "whole numbers beyond 2**53, which floats cannot tell apart: "
        f"'id' ({large} to {large + 2}), 'far' ({-large} to 0); "
        "leave them out with --drop id,far, or where they are names add --categorical id,far"
    )
    table = load(ids, categorical=["id"], drop=["far"])
    assert table.X["id"].tolist() == ids["id"].tolist()
    assert table.X["flag"].tolist() == [large] * 4
    exact = [0, 1 - large, large - 1, 5]
    assert load(frame.assign(id=exact)).X["id"].tolist() == exact


def test_whole_numbers_are_held_against_those_of_other_files(tmp_path, frame):
    for day, more in enumerate((2, 3, 1, 2)):
        frame.assign(id=2**60 + more).to_parquet(tmp_path / f"{day}.parquet")
    with pytest.raises(DataError, match=rf"'id' \({2**60 + 1} to {2**60 + 3}\)"):
        load_table(str(tmp_path), label="label")


def test_columns_without_a_value_are_all_refused_at_once(refusal, frame):
    said = "columns that hold no value at all: rate, my x; leave them out with --drop 'rate,my x'"
    assert refusal(frame.assign(**{"rate": np.nan, "my x": np.nan})) == said


def test_a_text_column_without_a_value_is_refused_too(refusal, frame):
    said = refusal(frame.assign(proto=pd.Series([None] * 4, dtype="str")))
    assert said == "columns that hold no value at all: proto; leave them out with --drop proto"


def test_a_column_of_infinities_that_became_missing_is_refused(refusal, frame):
    said = "columns that hold no value at all: rate; leave them out with --drop rate"
    assert refusal(frame.assign(rate=np.inf), infinities="missing") == said


def test_dropping_infinite_values_never_takes_a_whole_class(refusal, frame):
    frame = frame.assign(rate=[np.inf, 1.0, np.inf, 1.0], label=["a", "b", "a", "b"])
    assert refusal(frame, infinities="drop") == (
        "--infinities drop leaves no row of the classes 'a': each has an infinite value; take --infinities "
        "missing, or leave the column out with --drop"
    )


def test_a_class_of_infinite_values_that_nobody_needs_is_noted(load, frame):
    frame = frame.assign(rate=[np.inf, 1.0, 2.0, 1.0], label=["a", "b", "c", "b"])
    said = "No row is left of the classes 'a': each has an infinite value."
    pair = pd.concat([frame, frame[1:]])
    assert said in load(pair, infinities="drop", rare_classes="drop").notes
    assert said in load(frame, infinities="drop", test_of=list(frame)).notes


def test_what_a_test_file_has_besides_is_left_out_whatever_it_is(tmp_path, frame):
    columns = list(frame)
    nested = frame.assign(meta=[[1], [2], [3], [4]])
    nested.to_parquet(tmp_path / "nested.parquet")
    assert list(load_table(str(tmp_path / "nested.parquet"), label="label", test_of=columns).frame) == columns
    for name, part in (("a", frame), ("b", frame.assign(day="Friday", **{"label.1": "x"}))):
        (tmp_path / "days").mkdir(exist_ok=True)
        part.to_csv(tmp_path / "days" / f"{name}.csv", index=False)
    assert list(load_table(str(tmp_path / "days"), label="label", test_of=columns).frame) == columns


def test_an_identifier_that_one_file_lacks_is_noted_as_left_out(tmp_path):
    (tmp_path / "days").mkdir()
    rows = pd.DataFrame({"x": [1, 2], "attack_cat": ["Normal", "DoS"]})
    rows.to_csv(tmp_path / "days" / "a.csv", index=False)
    rows.assign(id=[1, 2]).to_csv(tmp_path / "days" / "b.csv", index=False)
    assert "Identifiers were left out: id." in load_table(str(tmp_path / "days"), recipe="unsw-nb15").notes


def test_many_classes_of_one_row_are_called_a_measurement(refusal, frame):
    lone = pd.concat([frame, pd.concat([frame[:1]] * 101).assign(label=[f"c{i}" for i in range(101)])])
    assert refusal(lone).endswith("so many classes are rather a measurement: give --label another column")


def test_a_label_is_found_whatever_blanks_stand_around_its_name(load, frame):
    assert load(frame, label=" label ").label == "label"


def test_a_test_file_may_have_further_columns_and_lack_what_is_left_out(tmp_path, frame):
    path = tmp_path / "test.csv"
    frame.drop(columns="count").assign(extra="text").to_csv(path, index=False)
    columns = ["rate", "label"]
    table = open_table(str(path), label="label", drop=["count"], test_of=columns).table()
    assert list(table.frame) == columns
    assert "Columns that the training table lacks were left out: extra." in table.notes


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64"])
def test_infinite_values_need_a_rule(load, refusal, frame, dtype):
    frame = frame.assign(rate=[np.inf, 1.5, 2.5, -np.inf], gap=[np.inf, 1, 2, 3]).astype({"rate": dtype})
    frame = pd.concat([frame, frame[1:3]], ignore_index=True)
    assert refusal(frame) == (
        "infinite values in 'rate' (2 rows), 'gap' (1 rows); "
        "say what they mean with --infinities missing|drop, or name a --recipe that knows; where they are "
        "text that reads like a huge number (12e400), add --categorical rate,gap or --drop rate,gap"
    )
    missing, dropped = load(frame, infinities="missing"), load(frame, infinities="drop")
    assert missing.frame["rate"].isna().tolist() == [True, False, False, True, False, False]
    assert missing.frame["rate"].dtype == dtype
    assert missing.notes == ("Infinite values became missing: 'rate' (2 rows), 'gap' (1 rows).",)
    assert dropped.frame["rate"].tolist() == [1.5, 2.5, 1.5, 2.5]
    assert dropped.notes == ("2 rows with infinite values were dropped: 'rate' (2 rows), 'gap' (1 rows).",)


def test_the_infinities_option_overrules_the_recipe(load):
    frame = pd.DataFrame({"x": [np.inf, 1, 2, 3, 4], "Label": ["Bot", "Bot", "Bot", "DDoS", "DDoS"]})
    assert len(load(frame, label="", recipe="cic-ids-2017", infinities="drop")) == 4
    assert len(load(frame, label="", recipe="cic-ids-2017")) == 5


def test_all_undeclared_text_is_refused_in_one_message(refusal, frame):
    frame = frame.assign(
        **{"proto": list("tutu"), "src ip": "1.2.3.4", "gain": ["1", "2", "x", "y"], "n": list("1234")}
    )
    names = "'proto,src ip,gain,n'"
    assert refusal(frame) == (
        "text in columns that nobody declared: 'proto' ('t'), 'src ip' ('1.2.3.4'), "
        f"'gain' ('x' among numbers, row 3), 'n' ('1'); add --categorical {names} or --drop {names}; text "
        "among numbers that stands for a missing value can be written as an empty cell in the file"
    )


def test_text_of_more_values_than_a_generator_takes_is_not_offered_as_categories(refusal, load):
    rows = MAX_CATEGORIES + 1
    frame = pd.DataFrame(
        {
            "proto": ["tcp"] * rows,
            "ip": [f"10.0.{i // 256}.{i % 256}" for i in range(rows)],
            "most": [f"v{i % MAX_CATEGORIES}" for i in range(rows)],
            "count": [*map(str, range(rows - 1)), "-"],
            "label": ["a", *["b"] * (rows - 1)],
        }
    )
    declared, others = "--categorical proto,most", "--drop ip,count"
    assert refusal(frame, rare_classes="keep") == (
        "text in columns that nobody declared: 'proto' ('tcp'), 'ip' ('10.0.0.0', over 1,000 different "
        "values), 'most' ('v0'), 'count' ('-' among numbers, row 1001, over 1,000 different values); "
        f"add {declared} {others} or --drop proto,ip,most,count; text among numbers that stands for a "
        "missing value can be written as an empty cell in the file"
    )
    few = ["proto", "most"]
    said = refusal(frame, rare_classes="keep", categorical=few)
    assert "; leave them out with --drop ip,count; text among numbers" in said
    assert load(frame, rare_classes="keep", categorical=few, drop=["ip", "count"]).schema.names == few


def test_a_long_text_is_shown_by_its_beginning(refusal):
    long, name = "x" * 5_000, "c" * 5_000
    said = refusal(pd.DataFrame({name: [None, None], "payload": [long, "y"], "label": ["a", "b"]}))
    assert said.startswith(f"columns that hold no value at all: {name[:80]}...; leave")
    said = refusal(pd.DataFrame({"payload": [long, "y"], "label": ["a", "b"]}))
    assert said.startswith(f"text in columns that nobody declared: 'payload' ({long[:79]!r:.80}...); add")


def test_a_header_that_is_repeated_among_the_rows_is_said_and_none_of_its_columns_is_to_be_declared(refusal):
    header = {"proto": "proto", "n": "n", "n.1": "n", "gap": "gap", "label": "label"}
    first = {"proto": "tcp", "n": "1", "n.1": "2", "gap": "-", "label": "a"}
    frame = pd.DataFrame([first, first, header, first, header])
    shown = "'proto' ('tcp'), 'n' ('n' among numbers, row 3), 'n.1' ('n' among numbers, row 3)"
    assert refusal(frame.drop(columns="gap")) == (
        f"text in columns that nobody declared: {shown}; add --categorical proto or --drop proto; "
        "row 3 repeats the header: remove it, and any like it, from the file"
    )
    alone = refusal(frame[["n", "label"]])
    assert alone.endswith(
        "('n' among numbers, row 3); row 3 repeats the header: remove it, and any like it, from the file"
    )
    frame.loc[0, "gap"] = "1"
    said = refusal(frame)
    assert "'gap' ('-' among numbers, row 2); add --categorical proto,gap or --drop proto,gap; text " in said
    assert said.endswith("in the file; row 3 repeats the header: remove it, and any like it, from the file")


def test_text_that_is_its_columns_name_by_chance_is_no_header(refusal, frame):
    said = refusal(frame.assign(a=["1", "a", "2", "b"], proto="tcp"))
    assert "header" not in said
    assert "; add --categorical a,proto or --drop a,proto; text among numbers" in said


def test_an_empty_cell_in_the_place_of_text_among_numbers_is_a_missing_number(tmp_path):
    (tmp_path / "t.csv").write_text("n,label\n1,a\n,a\n3,b\n4,b\n")
    assert column(load_table(str(tmp_path / "t.csv"), label="label"), "n").is_numeric


def test_declared_text_and_numbers_become_categories_and_categories_need_no_word(load, frame):
    frame = frame.assign(proto=["tcp", "udp", "tcp", None], port=pd.Categorical([80, 443, 80, 22]))
    table = load(frame, categorical=["proto", "count"])
    assert [str(table.frame[name].dtype) for name in ("proto", "count", "port")] == ["category"] * 3
    assert column(table, "proto").categories == ("tcp", "udp")
    assert column(table, "proto").missing
    assert column(table, "count").categories == (1, 2, 3, 4)
    assert column(table, "port").kind is Kind.CATEGORICAL


def test_a_label_named_in_categorical_stays_as_it_is(load, frame):
    assert load(frame, categorical=["label"]).y.dtype == "str"


def test_times_and_durations_are_refused_together(refusal, frame):
    frame = frame.assign(at=pd.Timestamp("2017-07-07"), span=pd.Timedelta("1s"))
    said = refusal(frame)
    assert said.startswith("columns that hold neither numbers nor categories: 'at' (datetime64")
    assert said.endswith("; leave them out with --drop at,span")


def test_times_and_undeclared_text_are_refused_in_one_message(refusal, load, frame):
    frame = frame.assign(at=pd.Timestamp("2017-07-07"), proto="tcp")
    said = refusal(frame)
    assert said.startswith(
        "text in columns that nobody declared: 'proto' ('tcp'); columns that hold neither "
    )
    assert "nor categories: 'at' (datetime64" in said
    assert said.endswith("; add --categorical proto --drop at or --drop at,proto")
    assert load(frame, categorical=["proto"], drop=["at"]).schema.names == ["rate", "count", "proto"]


def test_times_and_durations_are_no_categories_either(refusal, frame):
    times = [pd.Timestamp("2017-07-07"), pd.Timestamp("2017-07-08")] * 2
    frame = frame.assign(at=times, day=pd.Categorical(times), span=pd.Timedelta("1s"))
    said = refusal(frame, categorical=["at", "span", "count"])
    assert said.startswith("columns that hold neither numbers nor categories: 'at' (datetime64")
    assert "'day' (datetime64" in said
    assert said.endswith("; leave them out with --drop at,day,span")


def test_narrow_and_nullable_dtypes_and_huge_values_are_kept(load, frame):
    frame = frame.assign(
        single=np.arange(4, dtype=np.float32),
        byte=np.arange(4, dtype=np.int8),
        nullable=pd.array([1, None, 3, 4], dtype="Int64"),
        flag=pd.array([True, None, False, True], dtype="boolean"),
        truth=[True, False, True, False],
        huge=[1e300, -1e300, 0.0, 5e-324],
    )
    pd.testing.assert_frame_equal(load(frame).frame, frame)


def test_a_class_of_one_row_is_kept_where_asked(load, frame):
    frame.loc[3, "label"] = "lone"
    table = load(frame, rare_classes="keep")
    assert table.class_counts == {"a": 2, "b": 1, "lone": 1}
    assert table.notes == ()


def test_a_path_is_a_source_and_a_bare_name_is_one_column(tmp_path):
    frame = pd.DataFrame({"a": [1, 2] * 9, "b": range(18), "ab": [0, 1, 2] * 6, "y": ["p", "q"] * 9})
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = load_table(tmp_path / "t.csv", label="y", drop="ab", categorical="a")
    assert table.schema.names == ["a", "b"]
    assert column(table, "a").categories == (1, 2)
    assert len({table, table}) == 1
    assert table != load_table(tmp_path / "t.csv", label="y")
