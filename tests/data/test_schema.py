import numpy as np
import pandas as pd
import pytest

from rareflow.data.schema import Column, Kind
from rareflow.errors import DataError


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([5, 5], "int64", Kind.CONSTANT),
        ([5, None], "Int64", Kind.BINARY),
        ([5, 7, 5], "int16", Kind.BINARY),
        ([5, 6, 7], "uint8", Kind.INTEGER),
        ([5, 7, None], "Int8", Kind.INTEGER),
        ([5.0, 6.0, 7.0], "float32", Kind.INTEGER),
        ([5.0, 5.5, 7.0], "float64", Kind.CONTINUOUS),
        ([0.0, -0.0], "float64", Kind.CONSTANT),
        ([2**63 - 1, 2**63 - 2], "int64", Kind.BINARY),
        ([2**64 - 1, 2**64 - 2, 2**64 - 3], "uint64", Kind.INTEGER),
        ([2**63 - 1, 2**63 - 2], "int64[pyarrow]", Kind.BINARY),
    ],
)
def test_the_kind_of_a_numeric_column_counts_its_values_in_its_own_dtype(values, dtype, kind):
    assert Column.infer(pd.Series(values, dtype=dtype, name="v")).kind is kind


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_numbers_are_refused_with_what_mends_them_in_python(bad):
    X = pd.DataFrame({"rate": [1.0, bad, 2.0]})
    with pytest.raises(DataError) as refused:
        Column.infer(X["rate"])
    remedy = "X.replace([np.inf, -np.inf], np.nan)"
    assert str(refused.value) == (
        f"column 'rate' holds infinite values ({bad} is the first); make them missing, as {remedy} does, or "
        "drop their rows"
    )
    mended = eval(remedy, {"X": X, "np": np})  # noqa: S307 - what a user is told to do
    assert Column.infer(mended["rate"]).missing
