import numpy as np
import pytest
import torch

from rareflow.generators.anchors import (
    choose_anchors,
    column_groups,
    encode_latent,
    latent_neighbours,
)
from rareflow.generators.networks import Encoder, initialise


def test_small_classes_keep_every_row_and_large_ones_a_draw_of_distinct_rows():
    classes = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [2_500, 30, 1]))
    rows, spans = choose_anchors(classes, np.random.default_rng(0))
    assert spans == [[0, 2_000], [2_000, 2_030], [2_030, 2_031]]
    for kind, (start, stop) in enumerate(spans):
        assert (classes[rows[start:stop]] == kind).all()
    assert len(set(rows.tolist())) == len(rows)


def test_the_choice_of_anchors_follows_its_random_source():
    classes = np.zeros(5_000, dtype=np.intp)
    first, same, other = (choose_anchors(classes, np.random.default_rng(seed))[0] for seed in (0, 0, 1))
    assert (first == same).all()
    assert (first != other).any()


def test_without_an_encoder_every_anchor_has_the_prior():
    mu, logvar = encode_latent(None, torch.ones(4, 3), torch.ones(4, 1), 2)
    assert mu.shape == logvar.shape == (4, 2)
    assert not mu.any()
    assert not logvar.any()


def test_anchors_have_their_encoder_s_posterior():
    encoder = Encoder(3, 1, 8, 2)
    initialise(encoder, torch.Generator().manual_seed(0))
    x, c = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), torch.ones(4, 1)
    for ours, theirs in zip(encode_latent(encoder, x, c, 2), encoder(x, c), strict=True):
        np.testing.assert_array_equal(ours, theirs.detach().numpy())


def test_neighbours_are_the_nearest_of_the_own_class_and_never_the_row_itself():
    mu = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    spans = [[0, 25], [25, 40]]
    found = latent_neighbours(mu, spans, 4)
    for start, stop in spans:
        distances = np.linalg.norm(mu[start:stop, None] - mu[None, start:stop], axis=2)
        np.fill_diagonal(distances, np.inf)
        expected = start + np.argsort(distances, axis=1)[:, :4]
        assert (np.sort(found[start:stop]) == np.sort(expected)).all()


@pytest.mark.parametrize(("rows", "expected"), [(1, {7}), (2, {7, 8}), (3, {7, 8, 9})])
def test_a_small_class_repeats_its_neighbours_and_a_row_alone_is_its_own(rows, expected):
    mu = np.zeros((7 + rows, 2), dtype=np.float32)
    found = latent_neighbours(mu, [[0, 7], [7, 7 + rows]], 5)
    assert found.shape == (7 + rows, 5)
    assert set(found[7:].ravel().tolist()) == expected
    if rows > 1:
        assert (found[7:] != np.arange(7, 7 + rows)[:, None]).all()


def test_columns_that_rise_and_fall_together_share_a_group_whatever_the_sign_and_others_do_not():
    x, y, z = np.random.default_rng(0).normal(size=(3, 500))
    near = x + 0.1 * y
    groups = column_groups(np.column_stack([x, z, -x, near, y]), np.ones(500))
    assert groups.dtype == np.int32
    assert groups[0] == groups[2] == groups[3]
    assert len({groups[0], groups[1], groups[4]}) == 3
    assert sorted(set(groups.tolist())) == [0, 1, 2]


def test_bending_a_column_upwards_or_downwards_changes_no_group():
    x = np.random.default_rng(1).normal(size=(300, 6))
    x[:, 3:] += 1.5 * x[:, :3]
    weight = np.random.default_rng(2).integers(1, 9, 300).astype(float)
    bent = np.column_stack([np.exp(x[:, 0]), -x[:, 1], x[:, 2] ** 3, *x[:, 3:].T * 1e300])
    groups = column_groups(x, weight)
    assert (groups[:3] == groups[3:]).all()
    assert (column_groups(bent, weight) == groups).all()


def test_rows_count_in_a_column_s_group_by_their_weight():
    x, y = np.random.default_rng(0).normal(size=(2, 400))
    columns = np.column_stack([x, np.where(np.arange(400) < 40, x, y)])  # alike in a tenth of the rows
    heavy = np.where(np.arange(400) < 40, 100.0, 1.0)
    assert len(set(column_groups(columns, np.ones(400)).tolist())) == 2
    assert len(set(column_groups(columns, heavy).tolist())) == 1


def test_a_constant_is_a_group_of_its_own():
    x = np.random.default_rng(0).normal(size=50)
    columns = np.column_stack([np.zeros(50), x, np.full(50, 1e308), -x, np.full(50, np.nan)])
    groups = column_groups(columns, np.ones(50)).tolist()
    assert groups[1] == groups[3]
    assert len(set(groups)) == 4


def test_whatever_the_weights_a_constant_goes_with_no_column():
    rng = np.random.default_rng(0)
    for rows in (2, 3, 57, 999):
        columns = np.column_stack([np.zeros(rows), rng.normal(size=rows), np.ones(rows)])
        assert len(set(column_groups(columns, rng.random(rows)).tolist())) == 3


@pytest.mark.parametrize("shape", [(1, 4), (5, 1), (1, 1), (5, 0)])
def test_without_a_pair_of_rows_or_of_columns_every_column_is_a_group(shape):
    assert column_groups(np.zeros(shape), np.ones(shape[0])).tolist() == list(range(shape[1]))


def test_columns_at_the_ends_of_the_float_range_are_grouped_like_any():
    x = np.array([-1.79e308, 5e-324, np.nan, 1e-310, 1.79e308, 0.0] * 9)
    groups = column_groups(np.column_stack([x, -x, np.arange(54.0)]), np.ones(54))
    assert groups[0] == groups[1] != groups[2]
