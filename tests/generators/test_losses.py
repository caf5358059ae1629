import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal
from torch.distributions.kl import kl_divergence as reference_kl

from rareflow.generators.losses import (
    gradient_penalty,
    kl_divergence,
    reconstruction,
    reparametrise,
    wasserstein,
)
from rareflow.generators.networks import Critic, initialise
from rareflow.generators.portable import Layout


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_linear_critic_of_slope_five_pays_sixteen():
    critic = nn.Linear(2, 1)
    critic.weight.data = torch.tensor([[3.0, 4.0]])
    x = torch.randn(7, 2, generator=source()).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x)
    assert gradient_penalty(gradient).item() == 16.0


def test_a_critic_of_slope_one_pays_nothing():
    gradient = nn.functional.normalize(torch.randn(9, 4, generator=source(), dtype=torch.float64))
    assert gradient_penalty(gradient).item() == pytest.approx(0.0, abs=1e-15)


def test_a_flat_critic_pays_one_and_its_gradient_is_finite():
    gradient = torch.zeros(3, 4, requires_grad=True)
    penalty = gradient_penalty(gradient)
    penalty.backward()
    assert penalty.item() == 1.0
    assert gradient.grad.isfinite().all()


def test_the_kl_divergence_is_that_of_torch_distributions():
    mu, logvar = torch.randn(2, 8, 3, generator=source(), dtype=torch.float64)
    posterior = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    torch.testing.assert_close(kl_divergence(mu, logvar), reference_kl(posterior, prior).mean())


def test_the_kl_divergence_of_the_prior_itself_is_zero():
    assert kl_divergence(torch.zeros(4, 2), torch.zeros(4, 2)).item() == 0.0


def test_reconstruction_is_half_the_squared_error_of_scalars_and_the_cross_entropy_of_blocks():
    layout = Layout(1, (2, 2, 3))
    raw = torch.tensor([[2.0, 0.0, math.log(3.0), 0.0, 0.0, math.log(2.0), 0.0, 0.0]])
    x = torch.tensor([[5.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]])
    expected = 0.5 * 3.0**2 - math.log(3 / 4) - math.log(1 / 2) - math.log(2 / 4)
    assert reconstruction(raw, x, layout).item() == pytest.approx(expected, rel=1e-6)


def test_reconstruction_is_a_mean_over_rows_and_a_sum_over_columns():
    layout = Layout(2, (3,))
    raw = torch.randn(6, 5, generator=source(), dtype=torch.float64)
    x = torch.cat([torch.zeros(6, 2), nn.functional.one_hot(torch.arange(6) % 3)], dim=1).double()
    rows = [reconstruction(raw[i : i + 1], x[i : i + 1], layout) for i in range(6)]
    torch.testing.assert_close(reconstruction(raw, x, layout), torch.stack(rows).mean())


@pytest.mark.parametrize("layout", [Layout(2, ()), Layout(0, (2,))])
def test_reconstruction_takes_tables_without_blocks_or_without_scalars(layout):
    x = torch.tensor([[1.0, 0.0]])
    assert reconstruction(torch.zeros(1, 2), x, layout).isfinite()


def test_reparametrised_noise_has_the_posterior_s_mean_and_standard_deviation():
    mu, logvar = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2 * math.log(3.0)]])
    eps = torch.randn(200_000, 2, generator=source())
    z = reparametrise(mu, logvar, eps)
    torch.testing.assert_close(z.mean(dim=0), mu[0], atol=0.03, rtol=0)
    torch.testing.assert_close(z.std(dim=0), torch.tensor([1.0, 3.0]), atol=0.03, rtol=0)
    torch.testing.assert_close(reparametrise(mu, logvar, torch.zeros(1, 2)), mu)


def test_descending_the_negative_of_wasserstein_raises_the_score_of_real_rows_over_fakes():
    critic = Critic(2, 1, 16)
    initialise(critic, source())
    adam = torch.optim.Adam(critic.parameters(), 1e-2)
    real, fake, c = (
        torch.randn(64, 2, generator=source(1)) + 2,
        torch.randn(64, 2, generator=source(2)),
        torch.ones(64, 1),
    )
    before = wasserstein(critic(real, c), critic(fake, c)).item()
    for _ in range(20):
        adam.zero_grad()
        (-wasserstein(critic(real, c), critic(fake, c))).backward()
        adam.step()
    after = (critic(real, c).mean() - critic(fake, c).mean()).item()
    assert after > before + 1.0
