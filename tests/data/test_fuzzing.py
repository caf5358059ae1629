"""What no file may bring about; `tests.data.fuzzing` tries at random, and for as long as it is told to."""

import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rareflow.data.load import load_table
from rareflow.errors import DataError
from tests.data.fuzzing import alarm, csv_of, run
from tests.data.reading import read, read_frame

pytestmark = pytest.mark.fault


@pytest.mark.parametrize("seed", [0, 1])
def test_random_tables_right_and_wrong_are_read_as_they_say_or_refused_in_one_line(seed):
    ended = run(seed, inputs=300)
    assert not [cause for cause in ended if cause.startswith("FAILED")], ended
    assert min(ended["read"], ended["refused"], ended["loaded"]) > 10


@pytest.mark.slow
def test_ten_thousand_random_tables_are_read_as_they_say_or_refused_in_one_line():
    ended = run(2, inputs=10_000)
    assert not [cause for cause in ended if cause.startswith("FAILED")], ended


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), ending=st.sampled_from(["csv", "csv.gz", "arff", "parquet"]))
def test_random_bytes_are_a_table_or_refused(tmp_path, content, ending):
    path = tmp_path / f"t.{ending}"
    path.write_bytes(content)
    try:
        frame = read_frame(str(path))
    except DataError as err:
        assert "\n" not in str(err)  # noqa: PT017 - either way is right
    else:
        assert len(frame)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1).filter(
    lambda text: text == text.strip() and not text.startswith("\ufeff")
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=2, max_size=5, unique=True), st.floats(allow_nan=False), st.data())
def test_any_name_and_any_number_come_back_as_they_were_written(tmp_path, names, number, data):
    import random  # noqa: PLC0415

    path = tmp_path / "t.csv"
    columns = [[repr(number), repr(number)] for _ in names]
    path.write_text(csv_of(names, columns, random.Random(data.draw(st.integers(0, 9)))), newline="")
    try:
        frame = read_frame(str(path))
    except DataError as err:
        assert "has no header" in str(err)  # noqa: PT017 - names that are numbers
        return
    assert list(frame.columns) == names
    assert (frame.to_numpy(dtype=np.float64) == number).all()


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        (["01", "1", "01", "1"], {"01": 2, "1": 2}),
        (["007", "8", "007", "8"], {"007": 2, "8": 2}),
        (["1.10", "1.1", "1.10", "1.1"], {"1.10": 2, "1.1": 2}),
        (
            ["9223372036854775808", "9223372036854775809"] * 2,
            {"9223372036854775808": 2, "9223372036854775809": 2},
        ),
        (["DoS, slow", "1", "DoS, slow", "1"], {"1": 2, "DoS, slow": 2}),
        (["2017-07-07", "2017-07-08"] * 2, {"2017-07-07": 2, "2017-07-08": 2}),
        (["0", "1", "true", "1"], {"1": 2, "0": 1, "true": 1}),
        (["10", "9", "10", "9"], {"10": 2, "9": 2}),
    ],
)
def test_labels_that_look_like_numbers_or_days_are_the_classes_that_were_written(tmp_path, written, classes):
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": range(4), "label": written, " label": written}).to_csv(path, index=False)
    table = load_table(str(path), label="label", drop=["label.1"], rare_classes="keep")
    assert table.class_counts == classes
    assert load_table(str(path), label="label.1", drop=["label"], rare_classes="keep").class_counts == classes
    assert (table.y.dtype == "int64") == (written[0] == "10"), "numbers that name themselves stay numbers"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_table_in_another_unicode_encoding_is_read_by_its_mark_or_refused(tmp_path, encoding):
    for ending, text in (("csv", "x,label\n1,\N{SNAKE}\n"), ("arff", "@attribute x real\n@data\n1\n")):
        path = tmp_path / f"t.{ending}"
        path.write_bytes(text.encode(encoding))
        if encoding in {"utf-16-le", "utf-16-be"}:  # which bear no mark
            with pytest.raises(
                DataError, match="holds zero bytes, which no text does; write the file in UTF-8"
            ):
                read(str(path))
        else:
            frame = read_frame(str(path))
            assert frame["x"].tolist() == [1]
            assert ending == "arff" or frame["label"].tolist() == ["\N{SNAKE}"]


def test_ten_thousand_columns_are_loaded_in_seconds(tmp_path):
    path = tmp_path / "t.csv"
    frame = pd.DataFrame(np.arange(100_000).reshape(10, 10_000)).add_prefix("c").assign(label=list("ab") * 5)
    frame.to_csv(path, index=False)
    with alarm(60):
        assert len(load_table(str(path), label="label").schema.names) == 10_000


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "arff"])
def test_a_line_of_a_gigabyte_is_refused(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    with path.open("wb") as file:
        file.write(b"@attribute x real\n@data\n" if ending == "arff" else b"")
        for _ in range(1_024):
            file.write(b"x" * 2**20)
    began = time.monotonic()
    with alarm(300), pytest.raises(DataError):
        read(str(path))
    print(f"{ending}: {time.monotonic() - began:.0f} s")


def test_bytes_that_are_no_text_are_refused_by_their_column_and_others_read(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [b"\xff"], "y": [1]}), path)
    with pytest.raises(
        DataError, match=r"columns \['x'\] hold bytes that are no text; write numbers or text"
    ):
        read(str(path))
    pq.write_table(pa.table({"x": ["ä".encode()], "y": [1]}), path)
    assert read_frame(str(path))["x"].tolist() == ["ä"]


def test_a_message_is_one_line_whatever_a_column_is_called(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"new\nline",label\n,a\n,b\n')
    with pytest.raises(DataError, match=r"hold no value at all: new\\nline; leave") as caught:
        load_table(str(path), label="label")
    assert "\n" not in str(caught.value)
