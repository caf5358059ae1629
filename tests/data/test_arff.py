from pathlib import Path

import numpy as np
import pytest

from rareflow.data.arff import parse_arff
from rareflow.errors import DataError
from tests.data.reading import read_frame

HEADER = "@relation gas\n@attribute x real\n@attribute 'result' {'0', '1'}\n@data\n"


def parse(text: str):
    return parse_arff(text.encode(), Path("t.arff"))


def refusal(text: str) -> str:
    with pytest.raises(DataError) as caught:
        parse(text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("t.arff: ")
    return message


def test_whole_numbers_stay_float_and_nominals_become_categories_in_declared_order():
    frame = parse("@attribute n numeric\n@attribute c {udp, tcp, icmp}\n@data\n1,tcp\n2,udp\n")
    assert frame["n"].dtype == np.float64
    assert list(frame["c"]) == ["tcp", "udp"]
    assert list(frame["c"].cat.categories) == ["udp", "tcp", "icmp"]


def test_keywords_of_any_case_tabs_and_comments_are_read():
    frame = parse(
        "% a\n@RELATION r\n\n@ATTRIBUTE\tx  REAL\n@attribute y Integer\n% between\n@DATA\n% rows\n1,2\n"
        "  % more\n3,4\n"
    )
    assert frame.to_dict("list") == {"x": [1.0, 3.0], "y": [2.0, 4.0]}


def test_names_may_be_quoted_either_way_and_hold_spaces_and_quotes():
    frame = parse(
        "@attribute 'Flow\\'s rate' real\n@attribute \"a b\" real\n@attribute class{0,1}\n@data\n1,2,0\n"
    )
    assert list(frame) == ["Flow's rate", "a b", "class"]


@pytest.mark.parametrize("rows", ["1,'0'\n2,'1'\n", "1,0\n2,1\n", "1, '0'\n2 , 1\n", '1,"0"\n2,"1"\n'])
def test_nominal_values_may_be_quoted_or_bare(rows):
    assert list(parse(HEADER + rows)["result"]) == ["0", "1"]


def test_a_question_mark_is_missing_unless_it_is_quoted():
    frame = parse("@attribute x real\n@attribute s string\n@attribute c {a, '?'}\n@data\n?,'?','?'\n1, ?,?\n")
    assert frame.isna().to_numpy().tolist() == [[True, False, False], [False, True, True]]


def test_quoted_text_may_hold_commas():
    frame = parse(
        "@attribute s string\n@attribute c {'a, b', c}\n@attribute d date\n@data\n'x, y','a, b',2020\n"
    )
    assert frame.iloc[0].tolist() == ["x, y", "a, b", "2020"]


def test_an_undeclared_nominal_is_refused_with_column_value_and_declaration():
    assert refusal(HEADER + "1,'0'\n2,'7'\n") == (
        "t.arff: column 'result' holds '7', which is not among its declared values ['0', '1']; "
        "correct the value or declare it"
    )


def test_text_in_a_numeric_column_is_refused_with_the_column():
    message = refusal("@attribute y real\n@attribute 'x 1' real\n@data\n1,2\n1,abc\n")
    assert "column 'x 1': the rows are not as declared" in message
    assert "abc" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER + "{0 1.5, 1 '0'}\n", "is a sparse ARFF file; convert it to a dense one"),
        (HEADER + "1\n", "the rows are not as declared (CSV parse error: Expected 2 columns, got 1"),
        (HEADER, "holds no rows below @data"),
        ("@relation r\n@attribute x real\n", "has no @data line"),
        ("@relation r\n@data\n1\n", "declares no @attribute"),
        ("@atribute x real\n@data\n1\n", "'@atribute x real' is no line of an ARFF header"),
        ("@attribute x relational\n@data\n1\n", "column 'x' is of kind 'relational'"),
    ],
)
def test_a_file_that_is_not_dense_arff_is_refused(text, said):
    assert said in refusal(text)


def test_repeated_names_of_a_file_are_numbered(tmp_path):
    path = tmp_path / "t.arff"
    path.write_text("@attribute x real\n@attribute ' x' real\n@data\n1,2\n")
    assert list(read_frame(str(path))) == ["x", "x.1"]
