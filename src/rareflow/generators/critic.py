r"""The critic D(x, c) of Eq. 7, and the gradient of its loss in closed form.

With one-hot class c, leaky rectifier and its slopes m_l (1 or `SLOPE`), two hidden layers say

    a_1 = W_1 [x, c] + b_1,   h_1 = m_1 * a_1,   a_2 = W_2 h_1 + b_2,   h_2 = m_2 * a_2,   D = w . h_2 + b_3.

Slopes are locally constant, so that everything that autograd (and, for the penalty, double backward) would
find is a product of masked matrices, exact almost everywhere. Going back from the score,

    u_2 = m_2 * w,   v = W_2^T u_2,   u_1 = m_1 * v,   dD/dx = W_1x^T u_1 =: g.

- Eq. 7's Wasserstein part, a mean over real rows less one over forged rows, weighs each row by s = -1/B or
  1/B: dW_2 = sum s u_2 h_1^T, dW_1 = sum s u_1 [x, c]^T, db_l = sum s u_l, dw = sum s h_2.
- The penalty, lambda E[(|g| - 1)^2] at points between them (arXiv 1704.00028), has dP/dg = d := 2 lambda / B
  (|g| - 1) g / |g|. Through g it is linear in each weight: dW_1x = sum u_1 d^T; with e = m_1 * (W_1x d),
  dW_2 = sum u_2 e^T; dw = sum m_2 * (W_2 e). The biases move no slope.

As printed, Eq. 7 is what the critic raises, less the penalty; so it descends the negative.

Real, forged and mixed rows go through as one batch, and each weight's gradient is one product: u_2 starts
from s w in the first two parts, from w in the third, where d and e take the place of [x, c] and h_1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from rareflow.generators.networks import perceptron
from rareflow.generators.portable import SLOPE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Critic", "descent", "judge"]


class Critic(nn.Module):
    """The critic: codec vectors ``(N, D)`` and one-hot classes ``(N, C)`` to scores.

    Parameters
    ----------
    width, classes, hidden_dim
        `D`, `C` and the width of both hidden layers.
    """

    def __init__(self, width: int, classes: int, hidden_dim: int) -> None:
        super().__init__()
        self.first = nn.Linear(width + classes, hidden_dim)
        self.second = nn.Linear(hidden_dim, hidden_dim)
        self.last = nn.Linear(hidden_dim, 1)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Score codec vectors ``(N, D)`` of one-hot classes ``(N, C)``; shape ``(N,)``."""
        return judge(tuple(self.parameters()), x, c)


def judge(weights: Sequence[Tensor], x: Tensor, c: Tensor) -> Tensor:
    """Score codec vectors ``(N, D)`` of one-hot classes ``(N, C)``; shape ``(N,)``."""
    return perceptron(weights, x, c).squeeze(1)


@torch.no_grad()
def descent(
    weights: Sequence[Tensor],
    x: Tensor,
    fake: Tensor,
    c: Tensor,
    *,
    t: Tensor | None = None,
    lambda_gp: float = 0.0,
    precision: torch.dtype | None = None,
) -> tuple[Tensor, Tensor | None, list[Tensor]]:
    """Give every weight's gradient of Eq. 7's negative, which a critic descends.

    Parameters
    ----------
    weights
        A critic's parameters, in their order.
    x, fake
        Real and forged codec vectors, ``(B, D)`` each.
    c
        Their classes, ``(B, C)``, one-hot.
    t
        Where between its real and its forged row each penalised point stands, ``(B, 1)`` in [0, 1];
        ``None``: no penalty.
    lambda_gp
        The penalty's weight.
    precision
        That of rows and of what is computed of them, such as bfloat16; ``None``: the weights' own, which
        gradients and what is returned have in any case.

    Returns
    -------
    gain, penalty, gradients
        E[D(x)] - E[D(G(z))]; E[(|g| - 1)^2] without lambda, or ``None``; one gradient a weight.
    """
    first, first_bias, second, second_bias, w, last_bias = weights
    rows, both, width = len(x), 2 * len(x), x.shape[1]
    precision = precision or w.dtype
    parts, shares = [x, fake], [-1 / rows, 1 / rows]
    if t is not None:
        parts, shares = [*parts, torch.lerp(x, fake, t)], [*shares, 1.0]
    xc = torch.cat([torch.cat(parts), c.repeat(len(parts), 1)], dim=1).to(precision)
    w_1, b_1, w_2, b_2 = (each.to(precision) for each in (first, first_bias, second, second_bias))
    h_1 = functional.leaky_relu_(torch.addmm(b_1, xc, w_1.T), SLOPE)
    h_2 = functional.leaky_relu_(torch.addmm(b_2, h_1, w_2.T), SLOPE)
    u_2 = _masked(torch.cat([(w * share).to(precision).expand(rows, -1) for share in shares]), h_2)
    u_1 = _masked(u_2 @ w_2, h_1)
    sign = xc.new_ones((1, both))
    sign[:, :rows] = -1
    # In one product, so that the difference and not its two parts is rounded.
    dw = (sign @ h_2[:both]).to(w.dtype) / rows
    gain, penalty = -(w * dw).sum(), None
    if t is not None:
        w_1x = w_1[:, :width]
        g = (u_1[both:] @ w_1x).to(w.dtype)
        length = torch.linalg.vector_norm(g, dim=1, keepdim=True)
        penalty = (length - 1).square().mean()
        d = (2 * lambda_gp / rows) * (length - 1) / length.clamp_min(torch.finfo(g.dtype).tiny) * g
        xc[both:, :width] = d
        xc[both:, width:] = 0
        e = _masked(xc[both:, :width] @ w_1x.T, h_1[both:])
        dw += _masked(e @ w_2.T, h_2[both:]).sum(dim=0)
        h_1[both:] = e
    gradients = [
        (u_1.T @ xc).to(w.dtype),
        u_1[:both].sum(dim=0).to(w.dtype),
        (u_2.T @ h_1).to(w.dtype),
        u_2[:both].sum(dim=0).to(w.dtype),
        dw,
        torch.zeros_like(last_bias),  # it shifts real and forged scores alike
    ]
    return gain, penalty, gradients


def _masked(u: Tensor, h: Tensor) -> Tensor:
    """Multiply by the rectifier's slopes, read off what it gave."""
    masked: Tensor = torch.ops.aten.leaky_relu_backward(u, h, SLOPE, True)
    return masked
