"""Laws of a column on its way back."""

import numpy as np

from rareflow.generators.portable.columns import nearest


def test_the_nearest_observed_number_is_found_and_nan_is_none():
    observed = np.array([-1.7e308, 0.0, 10.0, 1.7e308, np.nan])
    values = np.array([-np.inf, -1e300, 4.9, 5.1, 1e308, np.inf])
    assert nearest(observed, values).tolist() == [-1.7e308, 0.0, 0.0, 10.0, 1.7e308, 1.7e308]
    assert nearest(np.array([3.0]), values[:3]).tolist() == [3.0] * 3
