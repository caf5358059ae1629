"""Laws of codec space."""

import numpy as np

from rareflow.generators.portable import Layout


def test_logits_of_any_size_become_probabilities_that_sum_to_one():
    layout = Layout(2, (2, 3))
    raw = np.random.default_rng(0).normal(scale=100, size=(layout.width, 50)).astype(np.float32)
    raw[2:, :3] = [[1e30, -1e30, 0], [0, -1e30, 0], [1e30, 5, 0], [1e30, 5, 0], [-1e30, 5, 0]]
    scalars = raw[:2].copy()
    x = layout.probabilities(raw)
    assert (x[:2] == scalars).all()
    assert ((x[2:] >= 0) & (x[2:] <= 1)).all()
    for block in (x[2:4], x[4:]):
        np.testing.assert_allclose(block.sum(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(x[2:4, :3], [[1, 0.5, 0.5], [0, 0.5, 0.5]], atol=1e-6)
