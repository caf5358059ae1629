import gzip
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rareflow.data import source
from rareflow.data.load import load_table
from rareflow.data.names import unique_names
from rareflow.data.readers import open_source
from rareflow.data.source import own_buffer
from rareflow.errors import DataError
from tests.data.reading import read, read_frame


@pytest.fixture
def frame():
    return pd.DataFrame({"rate": [0.1, 2.3e38, 5e-324], "count": [1, 2, 3], "label": ["a", "b", "a"]})


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def refusal(source: str | Path) -> str:
    with pytest.raises(DataError) as caught:
        read_frame(str(source))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_written_table_is_read_back_bit_for_bit(tmp_path, frame, ending):
    path = tmp_path / f"table.{ending}"
    frame.to_parquet(path) if ending == "parquet" else frame.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_frame(str(path)), frame, check_exact=True)


def test_parquet_keeps_narrow_nullable_and_categorical_dtypes(tmp_path):
    frame = pd.DataFrame(
        {
            "small": np.array([1, 2], dtype=np.int8),
            "single": np.array([1, 2], dtype=np.float32),
            "nullable": pd.array([1, None], dtype="Int64"),
            "proto": pd.Categorical(["tcp", "udp"]),
            "port": pd.Categorical([443, 80]),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(read_frame(str(tmp_path / "t.parquet")).dtypes) == list(frame.dtypes)


def test_a_named_parquet_index_is_a_column_and_an_unnamed_one_is_not(tmp_path, frame):
    frame.set_index("count").to_parquet(tmp_path / "named.parquet")
    frame[frame["count"] > 1].to_parquet(tmp_path / "unnamed.parquet")
    assert list(read_frame(str(tmp_path / "named.parquet"))) == ["count", "rate", "label"]
    unnamed = read_frame(str(tmp_path / "unnamed.parquet"))
    assert list(unnamed) == list(frame)
    assert list(unnamed.index) == [0, 1]


def test_truth_values_dates_and_decimals_with_gaps_keep_their_kind(tmp_path):
    table = pa.table(
        {
            "flag": pa.array([True, None]),
            "price": pa.array([None, 1], pa.decimal128(5, 2)),
            "day": pa.array([0, None], pa.date32()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    frame = read_frame(str(tmp_path / "t.parquet"))
    assert [dtype.kind for dtype in frame.dtypes] == ["b", "f", "M"]
    assert read_frame(write(tmp_path / "t.csv", "flag,n\nTrue,1\n,2\n"))["flag"].dtype == "boolean"


def test_names_are_trimmed_and_repeated_ones_numbered(tmp_path):
    source = write(tmp_path / "t.csv", " Fwd Header Length, Label ,Fwd Header Length\n1,a,2\n")
    assert list(read_frame(source)) == ["Fwd Header Length", "Label", "Fwd Header Length.1"]


def test_text_is_trimmed_and_missing_where_nothing_is_left_with_a_note(tmp_path):
    content = 'a,b,label\n1,tcp , Fuzzers\n2, ,Fuzzers\n3,"  ",Fuzzers \n4,tcp,Normal\n'
    frame, notes = read(write(tmp_path / "t.csv", content))
    assert frame["label"].tolist() == ["Fuzzers"] * 3 + ["Normal"]
    assert frame["b"].dropna().tolist() == ["tcp", "tcp"]
    assert notes == ("t.csv has blanks around text, which were removed: b, label.",)
    frame["label"] = pd.Categorical([" a", "a", " ", "b"], categories=["b", " a", "a", " "])
    frame.to_parquet(tmp_path / "t.parquet")
    again, notes = read(str(tmp_path / "t.parquet"))
    assert list(again["label"].cat.categories) == ["b", "a"]
    assert again["label"].fillna("b").tolist() == ["a", "a", "b", "b"]
    assert notes == ("t.parquet has blanks around text, which were removed: label.",)


def test_empty_text_is_missing_in_parquet_as_in_csv(tmp_path):
    label = pd.Categorical(["", "a", "b"])
    frame = pd.DataFrame({"x": [1, 2, 3], "service": ["", "http", "x"], "label": label})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    for name in ("t.parquet", "t.csv"):
        again, notes = read(str(tmp_path / name))
        assert again.isna().sum().tolist() == [0, 1, 1]
        assert notes == ()


@pytest.mark.parametrize(("digits", "dtype"), [(18, "int64"), (19, "float64"), (38, "float64")])
def test_decimals_that_are_whole_numbers_of_64_bits_lose_no_digit(tmp_path, digits, dtype):
    values = [10**17 + 1, 10**17 + 2, -(10**17) - 3]
    columns = {
        "id": pa.array(map(Decimal, values), pa.decimal128(digits, 0)),
        "gap": pa.array([None, Decimal(5), Decimal(6)], pa.decimal128(digits, 0)),
        "rate": pa.array([Decimal("0.25"), None, Decimal("1.50")], pa.decimal128(digits, 2)),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    frame = read_frame(str(tmp_path / "t.parquet"))
    assert [str(each) for each in frame.dtypes] == [dtype, "float64", "float64"]
    assert frame["id"].tolist() == pd.Series(values, dtype=dtype).tolist()
    assert frame["gap"].dropna().tolist() == [5.0, 6.0]
    assert frame["rate"].dropna().tolist() == [0.25, 1.5]


def test_a_blank_among_numbers_is_a_missing_number(tmp_path):
    frame, notes = read(write(tmp_path / "t.csv", "n,label\n1,a\n ,b\n3,a\n"))
    np.testing.assert_array_equal(frame["n"], [1, np.nan, 3])
    assert notes == ()


def test_numbers_of_one_file_are_written_out_where_the_column_is_text_in_another(tmp_path):
    write(tmp_path / "1.csv", "port,flag,label\n80,x,1\nhttp,y,b\n443,x,1\n")
    write(tmp_path / "2.csv", "port,flag,label\n80,True,1\n,False,2\n443,True,1\n")
    pd.DataFrame({"port": pd.Categorical([80.0, 0.5]), "flag": 1, "label": 2}).to_parquet(
        tmp_path / "3.parquet"
    )
    pd.DataFrame({"port": ["80", "http"], "flag": "x", "label": "1"}).to_parquet(tmp_path / "4.parquet")
    frame = read_frame(str(tmp_path / "*.csv"))
    assert frame["port"].fillna("-").tolist() == ["80", "http", "443", "80", "-", "443"]
    assert frame["flag"].tolist() == ["x", "y", "x", "True", "False", "True"]
    assert frame["label"].tolist() == ["1", "b", "1", "1", "2", "1"]
    frame = read_frame(str(tmp_path / "*.parquet"))
    assert frame["port"].tolist() == ["80", "0.5", "80", "http"]
    assert frame["label"].tolist() == ["2", "2", "1", "1"]


def test_one_file_of_text_is_read_as_csv_and_in_a_folder_it_is_none(tmp_path):
    one = write(tmp_path / "KDDTrain+.TXT", "a,label\n1,x\n")
    assert read_frame(one)["label"].tolist() == ["x"]
    write(tmp_path / "t.csv", "a,label\n2,y\n")
    assert read_frame(str(tmp_path))["label"].tolist() == ["y"]


def test_columns_of_a_file_without_a_header_are_known_if_their_number_is_right(tmp_path):
    path = write(tmp_path / "t.csv", "5,1,tcp\n2,3,udp\n")
    opened, notes = open_source(path, names=("a", "b", "proto")), []
    (frame,) = opened.frames(notes)
    assert frame.to_dict("list") == {"a": [5, 2], "b": [1, 3], "proto": ["tcp", "udp"]}
    assert opened.notes == ("t.csv has no header; its columns got the names that the recipe knows.",)
    for names in ((), ("a", "b"), ("a", "b", "proto", "label")):
        known = f" of 3 columns, and the recipe knows {len(names)}" if names else ""
        with pytest.raises(DataError, match=f"has no header, its first line is '5,1,tcp'{known}; write the"):
            open_source(path, names=names)


@pytest.mark.parametrize("values", [("0", "0.0", "00"), ("12e400", "34e500", "1"), ("1", "100", "1e2")])
def test_names_that_read_like_numbers_stay_as_they_are_written_where_they_are_told_apart_so(tmp_path, values):
    lines = "".join(f"{value},7\n" for value in values)
    for header in ("hex,label\n", ""):
        path = write(tmp_path / "t.csv", header + lines)
        (frame,) = open_source(path, written=["hex"], names=("hex", "label")).frames()
        assert frame["hex"].tolist() == list(values)
        assert frame["label"].tolist() == [7] * 3


def test_names_that_numbers_tell_apart_as_well_are_numbers(tmp_path):
    path = write(tmp_path / "t.csv", "port,label\n80,x\n443,x\n,x\n")
    (frame,) = open_source(path, written=["port"]).frames()
    assert frame["port"].dropna().tolist() == [80, 443]


def test_names_are_written_alike_in_all_files_of_a_table(tmp_path):
    write(tmp_path / "1.csv", "v,y\n1.0,a\n2.0,b\n")
    write(tmp_path / "2.csv", "v,y\n1.0,a\n1,b\n")
    opened = open_source(str(tmp_path), written=["v"])
    assert pd.concat(opened.frames())["v"].tolist() == ["1.0", "2.0", "1.0", "1"]


def test_names_with_gaps_lose_no_digit_and_nan_is_no_name(tmp_path):
    large = [2**53, 2**53 + 1]
    path = write(tmp_path / "t.csv", "id,port,y\n" + "".join(f"{each},80,a\n" for each in large) + ",NAN,b\n")
    (frame,) = open_source(path, written=["id", "port"]).frames()
    assert frame["id"].dropna().tolist() == [str(each) for each in large]
    assert frame["port"].dropna().tolist() == [80.0, 80.0]


def test_whole_numbers_of_64_bits_keep_all_of_them(tmp_path):
    values = [2**63 + 1, 2**64 - 1, 5]
    frame = read_frame(write(tmp_path / "t.csv", "n,y\n" + "".join(f"{value},a\n" for value in values)))
    assert frame["n"].tolist() == values
    lines = "".join(f"x, {value}\n" for value in values)
    assert read_frame(write(tmp_path / "t.csv", "y,n\n" + lines))["n"].tolist() == values
    for other in ("-1", "0.5", "1e19"):
        frame = read_frame(write(tmp_path / "t.csv", f"n,y\n{2**63},a\n{other},b\n"))
        assert frame["n"].tolist() == [float(2**63), float(other)]


def test_a_quote_that_nobody_closes_is_refused_with_its_row(tmp_path):
    lines = [f"{i},c{i},{i / 2},x" for i in range(9)]
    lines[3] = '3,"c3,1.5,x'
    lines[6] = '6,"c6,3.0,x'
    said = refusal(write(tmp_path / "t.csv", "\n".join(["a,proto,b,y", *lines])))
    assert "column 'proto' of row 4 holds 4 lines, 'c3,1.5,x" in said
    assert said.endswith("a double quote that nobody closes made one value of them: remove it")


@pytest.mark.parametrize("payload", ["GET /a,b\nHost: x", "a, b\nc, d\ne, f", "\n,\n,\n"])
def test_text_of_several_lines_is_a_value_whatever_its_commas(tmp_path, payload):
    for further in (1, 2, 4):
        header = ",".join(["payload", *(f"x{i}" for i in range(further))])
        lines = f'{header}\n"{payload}"{",1" * further}\n'
        assert read_frame(write(tmp_path / "t.csv", lines))["payload"][0] == payload.strip()


def test_text_of_several_lines_is_a_value(tmp_path):
    frame = read_frame(write(tmp_path / "t.csv", 'a,payload,b,y\n1,"GET /\nHost: x, y",2,n\n'))
    assert frame["payload"][0] == "GET /\nHost: x, y"


def test_lines_in_utf_8_among_others_that_are_not_are_read_as_such(tmp_path):
    name = "Web Attack \u2013 XSS"
    content = b"a,label\n" + b"".join(f"1,{name}\n".encode(code) for code in ("utf-8", "cp1252"))
    assert read_frame(write(tmp_path / "t.csv", content))["label"].tolist() == [name] * 2
    spoiled = content + "1,\u00c1\n".encode()  # its second byte is none of cp1252
    assert read_frame(write(tmp_path / "t.csv", spoiled))["label"].tolist() == [name, name, "\u00c1"]


def test_lines_that_begin_with_a_hash_are_refused_with_the_remedy(tmp_path):
    said = refusal(write(tmp_path / "conn.csv", "#separator x09\n#set_separator ,\n#fields ts,uid\n1,2\n"))
    assert "its first line begins with '#', '#separator x09'; remove all such lines" in said


def test_columns_that_nobody_will_use_need_not_be_in_every_file(tmp_path):
    write(tmp_path / "a.csv", "Flow ID,x,y\n7,1,a\n")
    write(tmp_path / "b.csv", "x,y,time\n2,b,9\n")
    opened = open_source(str(tmp_path), drop=["time", "Flow ID", "absent"])
    assert pd.concat(opened.frames()).to_dict("list") == {"x": [1, 2], "y": ["a", "b"]}
    assert opened.columns == ["x", "y", "Flow ID", "time"]


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_a_row_is_named_by_its_place_in_its_file_blank_rows_counted(tmp_path, monkeypatch, batch_rows):
    monkeypatch.setattr(source, "BATCH_ROWS", batch_rows)
    pd.DataFrame({"x": [None, None, 1, None, 2], "y": [None, None, "a", None, "b"]}).to_csv(
        tmp_path / "a.csv", index=False
    )
    write(tmp_path / "b.csv", "x,y\n,\n3,c\n")
    both, one = open_source(str(tmp_path)), open_source(str(tmp_path / "a.csv"))
    assert [both.place(row) for row in range(3)] == ["row 3 of a.csv", "row 5 of a.csv", "row 2 of b.csv"]
    assert one.place(1) == "row 5"


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_other_separators_are_refused_with_the_remedy_though_values_hold_commas(tmp_path, mark, name):
    source = write(tmp_path / "t.csv", "a;b;label\n1,5;2,5;x\n3;4,5;y\n".replace(";", mark))
    with pytest.raises(
        DataError, match=rf"t\.csv: its columns are separated by {name}; separate them by com"
    ):
        read(source)


def test_a_compressed_file_is_read_whatever_its_name(tmp_path):
    (tmp_path / "t.csv").write_bytes(gzip.compress(b"a,label\n1,x\n"))
    assert read_frame(str(tmp_path / "t.csv")).to_dict("list") == {"a": [1], "label": ["x"]}


def test_columns_of_one_name_are_told_apart_and_so_is_said(tmp_path):
    source = write(tmp_path / "t.csv", "proto,a,proto ,label\n1,2,3,x\n")
    frame, notes = read(source)
    assert list(frame) == ["proto", "a", "proto.1", "label"]
    assert "t.csv: columns of one name got a suffix: proto.1." in notes


def test_what_arrow_s_threads_read_is_not_python_s_memory():
    content = b"a,label\n1,x\n"
    before = sys.getrefcount(content)
    buffer = own_buffer(content)
    assert sys.getrefcount(content) == before
    assert buffer.to_pybytes() == content


@given(st.lists(st.sampled_from(["a", " a", "a.1", "a.1.1", "b"])))
def test_numbered_names_are_unique_and_the_first_of_each_keeps_its_name(names):
    unique = unique_names(names)
    assert len(set(unique)) == len(unique) == len(names)
    trimmed = [name.strip() for name in names]
    assert all(unique[trimmed.index(name)] == name for name in trimmed)


def test_blank_rows_are_dropped_with_a_note_and_partly_blank_ones_stay(tmp_path):
    frame, notes = read(write(tmp_path / "t.csv", "x,y\n1,a\n,b\n,\n2,c\n,\n,\n"))
    assert list(frame["y"]) == ["a", "b", "c"]
    assert list(frame.index) == [0, 1, 2]
    assert notes == ("t.csv holds 3 blank rows; they were dropped.",)


def test_bytes_that_are_no_utf8_are_read_as_windows_text_with_a_note(tmp_path):
    frame, notes = read(write(tmp_path / "t.csv", b"x,Label\n1,Web Attack \x96 XSS\n"))
    assert frame["Label"][0] == "Web Attack \N{EN DASH} XSS"
    assert notes == ("t.csv is not UTF-8 (byte 0x96): lines that are not were read as cp1252.",)
    frame, notes = read(write(tmp_path / "u.csv", b"x,Label\n1,\x81\n"))
    assert frame["Label"][0] == "\x81"
    assert notes == ("u.csv is not UTF-8 (byte 0x81): lines that are not were read as latin-1.",)


def test_a_column_takes_its_type_from_all_of_its_values(tmp_path):
    source = write(tmp_path / "t.csv", "x,y,z\n" + "1,1,\n" * 300_000 + "0.5,tcp,7\n")
    assert [str(dtype) for dtype in read_frame(source).dtypes] == ["float64", "str", "float64"]


def test_quoted_line_ends_are_read_in_a_file_of_any_length(tmp_path):
    frame = read_frame(write(tmp_path / "t.csv", "x,y\n" + '1,"a\nb"\n' * 300_000))
    assert len(frame) == 300_000
    assert frame["y"].unique().tolist() == ["a\nb"]


def test_infinities_and_gaps_of_a_csv_are_numbers(tmp_path):
    frame = read_frame(write(tmp_path / "t.csv", "x,y\nInfinity,1\nNaN,2\n-inf,3\n"))
    np.testing.assert_array_equal(frame["x"], [np.inf, np.nan, -np.inf])


def test_an_unnamed_row_counter_is_left_out_with_a_note(tmp_path, frame):
    frame.to_csv(tmp_path / "t.csv")
    again, notes = read(str(tmp_path / "t.csv"))
    assert list(again) == list(frame)
    assert notes == ("t.csv begins with an unnamed column that counts the rows; it was left out.",)
    assert list(read_frame(write(tmp_path / "u.csv", ",y\n5,1\n7,2\n"))) == ["Unnamed: 0", "y"]


def test_times_of_day_are_text_and_a_column_without_values_is_float(tmp_path):
    frame = read_frame(write(tmp_path / "t.csv", "at,none,y\n03:04:05,,1\n"))
    assert frame["at"][0] == "03:04:05"
    assert frame["none"].dtype == "float64"


@pytest.mark.parametrize("source", ["", "*.csv", "day-?.csv"])
def test_a_folder_and_a_glob_are_read_in_sorted_order(tmp_path, source):
    write(tmp_path / "day-2.csv", " x,y\n2,b\n")
    write(tmp_path / "day-1.csv", "y, x\na,1\n")
    write(tmp_path / ".hidden.csv", "other\n")
    write(tmp_path / "README.md", "no table")
    frame = read_frame(str(tmp_path / source))
    assert frame.to_dict("list") == {"y": ["a", "b"], "x": [1, 2]}


def test_categories_of_several_files_are_united(tmp_path):
    for name, value in [("a", "tcp"), ("b", "udp")]:
        pd.DataFrame({"proto": pd.Categorical([value]), "x": [1]}).to_parquet(tmp_path / f"{name}.parquet")
    proto = read_frame(str(tmp_path))["proto"]
    assert list(proto) == list(proto.cat.categories) == ["tcp", "udp"]


def test_files_of_different_columns_are_refused_with_the_columns(tmp_path):
    first = write(tmp_path / "a.csv", "x,y\n1,2\n")
    second = write(tmp_path / "b.csv", "x,z\n1,2\n")
    assert refusal(tmp_path) == (
        f"{second}: its columns are not those of {first} (it lacks ['y'], it has besides ['z']); "
        "give --data files with the same columns, or leave out with --drop what one of them lacks"
    )


def test_a_folder_of_several_kinds_is_refused(tmp_path, frame):
    frame.to_csv(tmp_path / "t.csv")
    frame.to_parquet(tmp_path / "t.parquet")
    assert refusal(tmp_path).endswith(
        "holds files of several kinds (.csv, .parquet); name one, as in '*.csv'"
    )


def test_a_wrong_path_is_refused_with_a_near_one(tmp_path):
    right = write(tmp_path / "traffic.arff", "")
    wrong = tmp_path / "trafic.arff"
    assert refusal(wrong) == f"no such file or folder: {wrong}; did you mean {right}?"
    nowhere = tmp_path / "no" / "such.csv"
    assert refusal(nowhere) == f"no such file or folder: {nowhere}; give --data a path that exists"


def test_an_empty_path_is_not_the_folder_that_one_stands_in(tmp_path, monkeypatch):
    write(tmp_path / "t.csv", "a,label\n1,x\n")
    monkeypatch.chdir(tmp_path)
    for nothing in ("", " "):
        assert refusal(nothing).startswith("--data is empty; give it a file")


def test_an_unknown_ending_and_an_empty_folder_are_refused(tmp_path):
    assert "ending is none of .csv, .csv.gz, .arff, .parquet" in refusal(write(tmp_path / "t.xlsx", "x"))
    assert "it names no file that ends in .csv, .csv.gz, .arff, .parquet" in refusal(tmp_path)
    assert "it names no file that ends in .csv" in refusal(tmp_path / "*.csv")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", "", "is empty"),
        ("t.arff", " \n", "is empty"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("t.csv", "x,y\n", "holds no rows"),
        ("t.csv", "x,y\n,\n,\n", "holds blank rows only"),
        ("t.csv", "x,y\n1,2\n3\n", "Expected 2 columns, got 1: 3"),
        ("t.csv", "x,y\n1,2\n3,4,5\n", "Expected 2 columns, got 3: 3,4,5"),
        ("t.csv", "x;y\n1;2\n", "has one column only, 'x;y'; separate the columns by commas"),
        (
            "t.csv",
            "0,tcp,1.5,0,normal,9\n0,udp,2.5,0,normal,9\n",
            "has no header, its first line is '0,tcp,1.5",
        ),
        ("t.csv.gz", gzip.compress(b"x,y\n1,2\n" * 99, mtime=0)[:-9], "is it damaged or cut short?"),
        ("t.csv.gz", "x,y\n1,2\n", "is it damaged or cut short?"),
        ("t.parquet", "", "is it damaged or cut short?"),
    ],
)
def test_a_file_without_a_table_is_refused_with_its_name(tmp_path, name, content, said):
    source = write(tmp_path / name, content)
    message = refusal(source)
    assert message.startswith(f"{source}: ")
    assert said in message


def test_names_that_only_count_the_columns_are_a_header(tmp_path):
    assert list(read_frame(write(tmp_path / "t.csv", "0,1,2,label\n5,6,7,a\n"))) == ["0", "1", "2", "label"]


def test_a_truncated_or_corrupt_parquet_is_refused_with_its_name(tmp_path, frame):
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:4] + bytes(200) + whole[204:]):
        path.write_bytes(broken)
        assert refusal(path).startswith(f"{path}: cannot be read, is it damaged or cut short?")


def test_a_parquet_without_rows_is_refused(tmp_path, frame):
    frame[:0].to_parquet(tmp_path / "t.parquet")
    assert "holds no rows" in refusal(tmp_path / "t.parquet")


def test_repeated_parquet_names_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    pq.write_table(table, tmp_path / "t.parquet")
    said = (
        f"{tmp_path / 't.parquet'}: column names ['x'] occur twice; write a file with one column of each name"
    )
    assert refusal(tmp_path / "t.parquet") == said


def test_nested_columns_are_refused_by_name(tmp_path):
    pq.write_table(pa.table({"x": [1], "flags": [[1, 2]]}), tmp_path / "t.parquet")
    said = f"{tmp_path / 't.parquet'}: columns ['flags'] hold nested values; leave them out with --drop flags"
    assert refusal(tmp_path / "t.parquet") == said


@pytest.mark.parametrize("statistics", [True, False])
def test_nested_columns_that_are_dropped_are_not_read_and_others_are_as_ever(tmp_path, statistics):
    rows = {"x": [1, None, 3], "y": pa.array([None, 2, 2]).dictionary_encode(), "label": ["a", "a", "b"]}
    nested = {"flags": [[1, 2], [], None], "n.m": [{"x": 7, "label": [1]}] * 3}
    for name, columns in {"flat": rows, "both": {**nested, **rows}}.items():
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet", write_statistics=statistics)
    opened = open_source(str(tmp_path / "both.parquet"), drop=["flags", "n.m"])
    (frame,) = opened.frames()
    pd.testing.assert_frame_equal(frame, read_frame(str(tmp_path / "flat.parquet")))
    table = load_table(
        str(tmp_path / "both.parquet"), label="label", drop=["flags", "n.m"], rare_classes="keep"
    )
    assert list(table.frame) == ["x", "y", "label"]
    assert table.notes == ("Columns were left out as asked: flags, n.m.",)
