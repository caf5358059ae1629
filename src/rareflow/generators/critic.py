r"""The critic D(x, c) of Eq. 7, and the gradient of its loss in closed form.

With one-hot class c, leaky rectifier and its slopes m_l (1 or `SLOPE`), two hidden layers say

    a_1 = W_1 [x, c] + b_1,   h_1 = m_1 * a_1,   a_2 = W_2 h_1 + b_2,   h_2 = m_2 * a_2,   D = w . h_2 + b_3.

Slopes are locally constant, so that everything that autograd (and, for the penalty, double backward) would
find is a product of masked matrices, exact almost everywhere. Going back from the score,

    u_2 = m_2 * w,   v = W_2^T u_2,   u_1 = m_1 * v,   dD/dx = W_1x^T u_1 =: g.

- Eq. 7's Wasserstein part, a mean over real rows less one over forged rows, weighs each row by s = -1/B or
  1/B: dW_2 = sum s u_2 h_1^T, dW_1 = sum s u_1 [x, c]^T, db_l = sum s u_l, dw = sum s h_2.
- The penalty, lambda E[(|g| - 1)^2] at points between them (arXiv 1704.00028), has dP/dg = d / B with
  d := 2 lambda (|g| - 1) g / |g|. Through g it is linear in each weight, with s = 1/B: dW_1x = sum s u_1 d^T;
  with e = m_1 * (W_1x d), dW_2 = sum s u_2 e^T; dw = sum s m_2 * (W_2 e). The biases move no slope.

As printed, Eq. 7 is what the critic raises, less the penalty; so it descends the negative.

Two more savings, as exact. w is the same for every row: so v = (diag(w) W_2)^T m_2, and N := sum s m_2 r^T,
with h_1 or e for r, gives dW_2 = diag(w) N and dw, each entry a product of two rows: those of W_2 and N, plus
b_2 sum s m_2 in the first part alone; h_2 itself is not needed. And a_1 is linear in x: between a real and a
forged row it lies where x does.
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
    rows, width = x.shape
    precision = precision or w.dtype
    w_1, b_1, w_2, b_2, w_w_2 = (
        each.to(precision) for each in (first, first_bias, second, second_bias, w.T * second)
    )
    share = x.new_full((2 * rows, 1), 1 / rows, dtype=precision)
    share[:rows].neg_()

    def back(h_1: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Give s m_2 and s u_1."""
        a_2 = torch.addmm(b_2, h_1, w_2.T)
        m_2 = torch.ops.aten.leaky_relu_backward(share.expand_as(a_2), a_2, SLOPE, False)
        return m_2, _masked(m_2 @ w_w_2, h_1)

    # Real and forged rows in one product, so that the difference and not its two parts is rounded.
    xc = torch.cat([torch.cat([x, fake]), c.repeat(2, 1)], dim=1).to(precision)
    a_1 = torch.addmm(b_1, xc, w_1.T)
    between = None if t is None else torch.lerp(a_1[:rows], a_1[rows:], t.to(precision))
    h_1 = functional.leaky_relu_(a_1, SLOPE)
    m_2, u_1 = back(h_1, share)
    dw_1, n, db_2 = (u_1.T @ xc).to(w.dtype), (m_2.T @ h_1).to(w.dtype), m_2.sum(dim=0).to(w.dtype)
    db_1 = dw_1[:, width:].sum(dim=1)  # a row has one class
    dw = (second * n).sum(dim=1) + second_bias * db_2
    gain, penalty = -(w * dw).sum(), None
    if between is not None:
        h_1 = functional.leaky_relu_(between, SLOPE)
        m_2, u_1 = back(h_1, share[rows:])
        w_1x = w_1[:, :width]
        g = (u_1 @ w_1x).to(w.dtype)  # times 1 / rows
        length = torch.linalg.vector_norm(g, dim=1, keepdim=True)
        excess = rows * length - 1
        penalty = excess.square().mean()
        d = (2 * lambda_gp * excess / length.clamp_min(torch.finfo(g.dtype).tiny ** 0.5) * g).to(precision)
        e = _masked(d @ w_1x.T, h_1)
        dw_1[:, :width] += (u_1.T @ d).to(w.dtype)
        n_e = (m_2.T @ e).to(w.dtype)
        n += n_e
        dw += (second * n_e).sum(dim=1)
    # The last bias shifts real and forged scores alike.
    gradients = [dw_1, db_1, w.T * n, w[0] * db_2, dw[None], torch.zeros_like(last_bias)]
    return gain, penalty, gradients


def _masked(u: Tensor, h: Tensor) -> Tensor:
    """Multiply by the rectifier's slopes, read off what it gave."""
    masked: Tensor = torch.ops.aten.leaky_relu_backward(u, h, SLOPE, True)
    return masked
