import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal
from torch.distributions.kl import kl_divergence as reference_kl

from rareflow.generators.losses import kl_divergence, reconstruction, reparametrise
from rareflow.generators.portable import Layout


def source(seed=0):
    return torch.Generator().manual_seed(seed)


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
