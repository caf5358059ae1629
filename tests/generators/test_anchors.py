import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from rareflow.generators import anchors
from rareflow.generators.anchors import choose_anchors, encode_latent, fit_forest, latent_neighbours
from rareflow.generators.networks import Encoder, initialise
from rareflow.generators.portable import PortableGenerator, _Draw, forest_features
from tests.generators.tables import mixed, untrained


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


def test_the_forest_as_arrays_says_what_scikit_learn_s_says_of_any_row():
    rng = np.random.default_rng(0)
    features = 2.0 * rng.integers(0, 10, (400, 4)).astype(np.float32)  # thresholds are odd numbers, then
    classes = (features[:, :2].sum(axis=1) > 20).astype(int)
    classes[(features[:, 2] > 12) & (rng.random(400) < 0.8)] = 2
    generator = untrained(*mixed())[0]
    walker = PortableGenerator(generator.spec, generator.tensors | fit_forest(features, classes, 5))
    reference = RandomForestClassifier(
        anchors._TREES, max_depth=anchors._DEPTH, class_weight="balanced", random_state=5
    ).fit(features, classes)

    rows = rng.integers(-1, 21, (3_000, 4))  # every second number stands on a threshold
    found = walker._forest_class(_Draw(rows, np.empty((3_000, 0))))
    share = np.sort(reference.predict_proba(rows), axis=1)
    clear = share[:, -1] - share[:, -2] > 1e-6  # our leaves are float32: a tie may fall either way
    assert clear.mean() > 0.95
    assert (found == reference.predict(rows))[clear].all()
    assert set(found) == {0, 1, 2}


def test_a_forest_sees_missing_and_huge_numbers_as_finite_ones():
    features = forest_features(np.array([[np.nan, 1e300, -1e300]]), np.array([[3]]))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert features[0, [0, 3]].tolist() == [0.0, 3.0]
