import numpy as np
import pandas as pd
import pytest

from rareflow.errors import DataError
from rareflow.evaluation.space import by_class, encode, points, row_ids


def distance(one, other, reference):
    here, there = points(*encode(reference, one, other))
    return float(np.linalg.norm(here[0] - there[0]))


def frame(**columns):
    return pd.DataFrame(columns)


REFERENCE = frame(x=[-2.0, -1.0, 0.0, 1.0, 2.0])


def test_a_number_is_measured_in_typical_deviations_near_the_median_and_in_their_logarithm_far_from_it():
    near = [distance(frame(x=[0.0]), frame(x=[x]), REFERENCE) for x in (0.01, 0.02)]
    far = [distance(frame(x=[1e36]), frame(x=[x]), REFERENCE) for x in (1e37, 1e38)]
    np.testing.assert_allclose(near, [0.01, 0.02], rtol=1e-3)
    np.testing.assert_allclose(far, np.log([10, 100]), rtol=1e-6)


def test_units_and_column_names_change_no_distance():
    one, other = frame(x=[0.5]), frame(x=[7.0])
    scaled = [1000 * part.rename(columns={"x": "y"}) for part in (one, other, REFERENCE)]
    assert distance(*scaled) == pytest.approx(distance(one, other, REFERENCE))


def test_two_categories_are_at_a_distance_of_one_and_a_missing_value_is_a_category():
    parts = [frame(c=[value]) for value in ("a", "b", None)]
    apart = [[distance(one, other, parts[0]) for one in parts] for other in parts]
    np.testing.assert_allclose(apart, 1 - np.eye(3))


def test_a_missing_number_stands_at_the_median_and_one_away_from_it():
    missing = frame(x=[np.nan])
    assert distance(missing, missing, REFERENCE) == 0
    assert distance(missing, frame(x=[0.0]), REFERENCE) == 1


@pytest.mark.parametrize(
    "values",
    [
        [1e38, -1e38, 0.0, 1e300],
        [1.7e308, -1.7e308, 5e-324, 0.0],
        [3.0, 3.0, 3.0, 3.0],
        [np.nan, np.nan, np.nan, np.nan],
        [True, False, True, True],
        pd.array([1, None, 3, 2**62], dtype="Int64"),
        pd.Categorical(["a", None, "b", "a"]),
    ],
)
def test_every_column_makes_finite_points(values):
    X = frame(x=values)
    for reference in (X, X.head(1)):
        here, there = points(*encode(reference, X, X.tail(2)))
        assert np.isfinite(here).all()
        np.testing.assert_array_equal(here[2:], there)


def test_no_rows_make_no_points():
    nothing = REFERENCE.head(0)
    here, there = points(*encode(nothing, nothing, REFERENCE))
    assert len(here) == 0
    assert here.shape[1] == there.shape[1]


def test_rows_equal_in_all_columns_share_a_number_whatever_their_dtypes():
    parts = encode(
        frame(x=[1, 2, 0], c=["a", "b", "a"], n=[np.nan, 1.0, 0.0]),
        frame(n=[np.nan, 1.0, -0.0], c=["a", "a", "a"], x=[1.0, 2.0, -0.0]),
    )
    here, there = row_ids(*parts)
    assert list(here == there) == [True, False, True]
    assert len(set(here)) == 3


def test_the_same_values_in_other_columns_make_another_row():
    grid = np.stack(np.meshgrid(*[[0.0, 1.0, 2.0, np.nan]] * 4)).reshape(4, -1).T
    (ids,) = row_ids(*encode(pd.DataFrame(grid)))
    assert len(set(ids)) == len(grid)


def test_numbers_and_categories_have_the_same_code_in_every_part_and_missing_ones_too():
    here, there = encode(frame(c=["a", None], x=[1, 2]), frame(x=[None, True], c=pd.Categorical(["b", "a"])))
    np.testing.assert_array_equal(here.codes[:, 0], [1, 0])
    np.testing.assert_array_equal(there.codes[:, 0], [2, 1])
    np.testing.assert_array_equal(here.numbers.shape, (2, 0))


def test_a_column_is_one_of_numbers_only_if_every_part_has_numbers():
    here, there = encode(frame(x=[1, 2]), frame(x=[2.0, np.nan]))
    np.testing.assert_array_equal(np.r_[here.numbers, there.numbers][:, 0], [1, 2, 2, np.nan])
    assert encode(frame(x=[1, 2]), frame(x=["1", "2"]))[0].codes.shape == (2, 1)


def test_a_draw_takes_no_row_twice_and_all_rows_where_there_are_few():
    (rows,) = encode(REFERENCE)
    assert rows.draw(5, 0) is rows
    drawn = rows.draw(3, 0).numbers[:, 0]
    assert len(set(drawn)) == 3
    np.testing.assert_array_equal(drawn, rows.draw(3, 0).numbers[:, 0])


def test_classes_come_by_name_with_their_rows_in_each_part():
    X = frame(x=range(4))
    y = np.array(["b", "a", "b", "c"], dtype=object)
    found = {
        label: [list(part.numbers[:, 0]) for part in parts]
        for label, parts in by_class(y[:3], (X, y), (X[:1], y[:1]))
    }
    assert found == {"a": [[1], []], "b": [[0, 2], [0]]}
    assert list(found) == ["a", "b"]


def test_a_missing_column_and_labels_of_another_length_are_refused():
    with pytest.raises(DataError) as caught:
        encode(REFERENCE, frame(y=[1.0]))
    assert str(caught.value) == (
        "column 'x' of the real rows is missing in the rows to compare with them; give both the same columns"
    )
    with pytest.raises(DataError) as caught:
        list(by_class(np.array(["a"], dtype=object), (REFERENCE, np.array(["a"], dtype=object))))
    assert str(caught.value) == "5 rows of features cannot be measured with 1 labels"
