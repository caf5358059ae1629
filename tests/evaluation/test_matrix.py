import numpy as np
import pandas as pd
import pytest

from rareflow.evaluation.matrix import from_matrix, to_matrix


@pytest.mark.parametrize(
    ("dtype", "end"),
    [
        ("int64", 2**63),
        ("Int64", 2**63),
        ("int64[pyarrow]", 2**63),
        ("uint64", 2**64),
        ("UInt64", 2**64),
        ("uint64[pyarrow]", 2**64),
    ],
)
def test_the_largest_integer_of_a_dtype_comes_back_as_one_near_it_and_others_as_they_were(dtype, end):
    X = pd.DataFrame({"x": pd.Series([end - 1, 0, 3, end - 2**12], dtype=dtype)})
    matrix, known = to_matrix(X)
    back = from_matrix(matrix, X, known)
    assert back["x"].dtype == X["x"].dtype
    assert back["x"].tolist() == [end - (1024 if end == 2**63 else 2048), 0, 3, end - 2**12]


def test_the_smallest_integer_of_a_dtype_comes_back():
    X = pd.DataFrame({"x": np.array([-(2**63), 5])})
    matrix, known = to_matrix(X)
    pd.testing.assert_frame_equal(from_matrix(matrix, X, known), X)
