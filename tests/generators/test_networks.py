import pytest
import torch
from torch import nn

from rareflow.generators.critic import Critic
from rareflow.generators.networks import Decoder, Encoder, activate, initialise, membership
from rareflow.generators.portable import Layout


def source(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "build", [lambda: Critic(4, 2, 8), lambda: Encoder(4, 2, 8, 3), lambda: Decoder(3, 2, 8, 4)]
)
def test_initialise_sets_every_weight_from_the_given_source_alone(build):
    first, second, other = build(), build(), build()
    state = torch.random.get_rng_state()
    for network, seed in ((first, 0), (second, 0), (other, 1)):
        initialise(network, source(seed))
    assert torch.equal(state, torch.random.get_rng_state())
    for a, b, c in zip(first.parameters(), second.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_initial_weights_stay_within_the_inverse_root_of_the_inputs():
    layer = nn.Linear(16, 1000)
    initialise(layer, source())
    assert 0.24 < layer.weight.abs().max() <= 0.25
    assert 0.24 < layer.bias.abs().max() <= 0.25


def test_the_encoder_s_log_variance_stays_within_eight():
    encoder = Encoder(2, 1, 8, 3)
    initialise(encoder, source())
    mu, logvar = encoder(torch.full((5, 2), 1e6), torch.ones(5, 1))
    assert mu.shape == logvar.shape == (5, 3)
    assert logvar.abs().max() == 8.0


def test_the_class_moves_what_critic_encoder_and_decoder_say():
    x, c, d = torch.zeros(1, 4), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    critic, encoder, decoder = Critic(4, 2, 8), Encoder(4, 2, 8, 3), Decoder(3, 2, 8, 4)
    for network in (critic, encoder, decoder):
        initialise(network, source())
    assert critic(x, c) != critic(x, d)
    assert not torch.equal(encoder(x, c)[0], encoder(x, d)[0])
    assert not torch.equal(decoder(torch.zeros(1, 3), c), decoder(torch.zeros(1, 3), d))


def test_activated_blocks_sum_to_one_and_scalars_pass():
    layout = Layout(2, (2, 2, 5))
    raw = torch.randn(6, layout.width, generator=torch.Generator().manual_seed(0))
    x = activate(raw, membership(layout, like=raw))
    assert torch.equal(x[:, :2], raw[:, :2])
    for start, stop in ((2, 4), (4, 6), (6, 11)):
        torch.testing.assert_close(x[:, start:stop].sum(dim=1), torch.ones(6))
        assert torch.equal(x[:, start:stop].argmax(dim=1), raw[:, start:stop].argmax(dim=1))
