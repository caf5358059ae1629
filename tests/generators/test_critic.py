import pytest
import torch
from torch import nn

from rareflow.generators.critic import Critic, descent
from rareflow.generators.networks import initialise


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def example(rows=32, dtype=torch.float64):
    """A critic, real rows, forged rows, their classes, and where between them the penalty is paid."""
    critic = Critic(5, 3, 16).to(dtype)
    initialise(critic, source())
    x, fake = torch.randn(2, rows, 5, generator=source(1), dtype=dtype)
    c = nn.functional.one_hot(torch.arange(rows) % 3, 3).to(dtype)
    return critic, x, fake, c, torch.rand(rows, 1, generator=source(2), dtype=dtype)


def descend(critic, *rows, **how):
    """Give every weight its gradient."""
    gain, penalty, gradients = descent(tuple(critic.parameters()), *rows, **how)
    for weight, gradient in zip(critic.parameters(), gradients, strict=True):
        weight.grad = gradient
    return gain, penalty


def input_gradient(critic, x, c):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x, c).sum(), x, create_graph=True)
    return gradient


def by_autograd(critic, x, fake, c, t, lambda_gp):
    """Gain, penalty and every weight's gradient as textbooks have them, by double backward."""
    gain = critic(x, c).mean() - critic(fake, c).mean()
    loss, penalty = -gain, None
    if t is not None:
        slopes = input_gradient(critic, torch.lerp(x, fake, t), c)
        penalty = (slopes.norm(dim=1) - 1).square().mean()
        loss = loss + lambda_gp * penalty
    return gain, penalty, torch.autograd.grad(loss, list(critic.parameters()))


@pytest.mark.parametrize("lambda_gp", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("penalised", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 33])
def test_what_the_critic_descends_is_double_backward_s_gradient_of_every_weight(rows, penalised, lambda_gp):
    critic, x, fake, c, t = example(rows)
    t = t if penalised else None
    gain, penalty, expected = by_autograd(critic, x, fake, c, t, lambda_gp)
    ours = descend(critic, x, fake, c, t=t, lambda_gp=lambda_gp)
    torch.testing.assert_close(ours[0], gain, rtol=0, atol=1e-10)
    assert (ours[1] is None) == (penalty is None)
    if penalty is not None:
        torch.testing.assert_close(ours[1], penalty, rtol=0, atol=1e-10)
    for weight, gradient in zip(critic.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=0, atol=1e-10)
    assert critic.second.weight.grad.abs().max() > 0


@pytest.mark.parametrize("penalised", [True, False])
def test_in_bfloat16_the_gradient_of_every_weight_points_where_float32_s_does(penalised):
    critic, x, fake, c, t = example(512, torch.float32)
    kept = {}
    for precision in (torch.float32, torch.bfloat16):
        kept[precision] = (
            descend(critic, x, fake, c, t=t if penalised else None, lambda_gp=10.0, precision=precision),
            [weight.grad for weight in critic.parameters()],
        )
    (told, gradients), (reduced, rounded) = kept.values()
    torch.testing.assert_close(reduced[0], told[0], rtol=0.02, atol=1e-3)
    if penalised:
        torch.testing.assert_close(reduced[1], told[1], rtol=0.02, atol=0)
    for weight, gradient in zip(gradients[:-1], rounded[:-1], strict=True):
        assert gradient.dtype == torch.float32
        assert nn.functional.cosine_similarity(weight.flatten(), gradient.flatten(), dim=0) > 0.99


def test_a_linear_critic_of_slope_five_pays_sixteen():
    critic, x, fake, c, t = example()
    with torch.no_grad():  # both rectifiers always open: D = 3 x_0 + 4 x_1 + what keeps them open
        for layer in (critic.first, critic.second, critic.last):
            layer.weight.zero_()
            layer.bias.fill_(100.0)
        critic.first.weight[0, 0], critic.first.weight[1, 1] = 3.0, 4.0
        critic.second.weight[0, 0] = critic.second.weight[1, 1] = 1.0
        critic.last.weight[0, :2] = 1.0
    torch.testing.assert_close(descend(critic, x, fake, c, t=t)[1].item(), 16.0)


def test_a_critic_without_any_slope_pays_one_and_has_finite_gradients():
    critic, x, fake, c, t = example(dtype=torch.float32)
    nn.init.zeros_(critic.last.weight)
    gain, penalty = descend(critic, x, fake, c, t=t, lambda_gp=10.0)
    assert (gain.item(), penalty.item()) == (0.0, 1.0)
    assert all(weight.grad.isfinite().all() for weight in critic.parameters())


def test_descending_raises_the_score_of_real_rows_over_forged_ones():
    critic, x, fake, c, _ = example(dtype=torch.float32)
    x += 2
    adam = torch.optim.Adam(critic.parameters(), 1e-2)
    gains = []
    for _ in range(20):
        gains.append(descend(critic, x, fake, c)[0].item())
        adam.step()
    assert gains[-1] > gains[0] + 0.5


def test_the_rows_that_a_critic_is_given_stay_as_they_are():
    critic, x, fake, c, t = example()
    before = [part.clone() for part in (x, fake, c, t)]
    descend(critic, x, fake, c, t=t, lambda_gp=10.0)
    for part, kept in zip((x, fake, c, t), before, strict=True):
        assert torch.equal(part, kept)
