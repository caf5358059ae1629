"""A turn of training: n_critic critic steps and one generator step, of one model or of several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rareflow.generators import losses
from rareflow.generators.critic import descent, judge
from rareflow.generators.networks import activate, decode, encode, membership

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rareflow.generators.portable import Layout
    from rareflow.generators.training_config import TrainingConfig

__all__ = ["Program", "Rows", "Turn"]

Rows = dict[str, Tensor]
"""Training rows ``x`` (N, D), their classes ``onehot`` (N, C); ``order`` (N,) sorts them by class, of which
each has so many, ``counts`` (C,), from a place in that order on, ``first`` (C,). Where the layout is wider
than the model's own, ``own`` (D,) is 1 in the entries that are, else 0."""

Draws = dict[str, Tensor]
"""What a turn draws at random; see `Program.draw`."""

Weights = dict[str, tuple[nn.Parameter, ...]]
"""The weights of each network that a model has: ``encoder``, ``decoder``, ``critic``."""

_WEIGHT_CLIP = 0.01  # WGAN's box for the critic's weights (arXiv 1701.07875)


class Program:
    """What one model computes in a turn, as functions of its weights, its rows and what was drawn.

    They read nothing off their device, and their tensors have the same shapes every time.

    Parameters
    ----------
    config, layout
        The model's.
    like
        A tensor on the device and of the dtype that rows and weights have.
    """

    def __init__(self, config: TrainingConfig, layout: Layout, like: Tensor) -> None:
        self.config = config
        self._layout, self._device, self._dtype = layout, like.device, like.dtype
        self._blocks = membership(layout, like=like)
        reduced = config.products(like.device) == torch.bfloat16
        self._precision = torch.bfloat16 if reduced else like.dtype

    def draw(self, source: torch.Generator) -> Draws:
        """Draw all that is random in a turn, always in the same order.

        Half of the rows that a critic judges are forged from the prior, as in Eq. 7. Sampling stays near
        encoded rows, so the critic judges what the decoder makes of the posterior too, in the other half.
        """
        config, device, dtype = self.config, self._device, self._dtype

        def uniform(*shape: int, dtype: torch.dtype) -> Tensor:
            return torch.rand(shape, generator=source, device=device, dtype=dtype)

        def normal(*shape: int) -> Tensor:
            return torch.randn((*shape, config.latent_dim), generator=source, device=device, dtype=dtype)

        batch, steps, half = config.batch_size, config.n_critic, config.batch_size // 2
        found: Draws = {}
        if config.has_critic:
            found["critic_rows"] = uniform(2, steps, batch, dtype=torch.float64)
            found["critic_prior"] = normal(steps, half)
            found["critic_posterior"] = normal(steps, batch - half)
            if config.has_penalty:
                found["between"] = uniform(steps, batch, 1, dtype=dtype)
        found["rows"] = uniform(2, 1, batch, dtype=torch.float64)
        found["posterior"] = normal(batch)
        found["prior"] = normal(half if config.has_critic else 0)
        return found

    @torch.no_grad()
    def critic_batches(self, weights: Weights, rows: Rows, draws: Draws) -> tuple[Tensor, ...]:
        """Give what the critic steps judge, ``(n_critic, B, ·)`` each, as `critic_gradients` takes it."""
        chosen = _chosen(rows, draws["critic_rows"])
        x, c = rows["x"][chosen], rows["onehot"][chosen]
        prior, noise = draws["critic_prior"], draws["critic_posterior"]
        half = prior.shape[1]
        posterior = self._latent(
            weights, x[:, half:].flatten(0, 1), c[:, half:].flatten(0, 1), noise.flatten(0, 1)
        )[0]
        z = torch.cat([prior, posterior.unflatten(0, noise.shape[:2])], dim=1)
        raw = self._run(decode, weights["decoder"], z.flatten(0, 1), c.flatten(0, 1))
        fake = activate(raw, self._blocks, rows.get("own")).unflatten(0, chosen.shape)
        return (x, fake, c, draws["between"]) if "between" in draws else (x, fake, c)

    def critic_gradients(
        self, critic: Sequence[Tensor], x: Tensor, fake: Tensor, c: Tensor, t: Tensor | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Give the critic's gradients on one batch, ``(B, ·)`` each, and its losses, ``()`` each."""
        gain, penalty, gradients = descent(
            critic, x, fake, c, t=t, lambda_gp=self.config.lambda_gp, precision=self._precision
        )
        return gradients, {"critic": gain} | ({} if penalty is None else {"gradient_penalty": penalty})

    def generator_loss(self, weights: Weights, rows: Rows, draws: Draws) -> tuple[Tensor, dict[str, Tensor]]:
        """Give what encoder and decoder descend, Eq. 8, and its parts, ``()`` each."""
        chosen = _chosen(rows, draws["rows"])[0]
        x, c = rows["x"][chosen], rows["onehot"][chosen]
        z, mu, logvar = self._latent(weights, x, c, draws["posterior"])
        half = len(draws["prior"])
        z, kinds = torch.cat([z, draws["prior"]]), torch.cat([c, c[:half]])
        raw = self._run(decode, weights["decoder"], z, kinds)
        loss = torch.zeros((), device=x.device, dtype=x.dtype)
        found: dict[str, Tensor] = {}
        if mu is not None and logvar is not None:
            recon = losses.reconstruction(raw[: len(x)], x, self._layout)
            kl = losses.kl_divergence(mu, logvar)
            found |= {"reconstruction": recon.detach(), "kl": kl.detach()}
            loss = loss + recon + self.config.kl_weight * kl
        if "critic" in weights:
            # As the critic sees them: half of the batch from the prior, the other half near encoded rows.
            fake = activate(raw[half:], self._blocks, rows.get("own"))
            score = -self._run(judge, weights["critic"], fake, kinds[half:]).mean()
            found["generator"] = score.detach()
            loss = loss + score
        return loss, found

    def _run(self, network: Callable[..., Tensor], weights: Sequence[Tensor], *inputs: Tensor) -> Tensor:
        """Run a network in the precision asked for; what it gives has that of the rows."""
        reduced = [weight.to(self._precision) for weight in weights]
        return network(reduced, *(each.to(self._precision) for each in inputs)).to(self._dtype)

    def _latent(
        self, weights: Weights, x: Tensor, c: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Give z from q(z|x, c), with the posterior's parameters; from the prior where no encoder is."""
        if "encoder" not in weights:
            return noise, None, None
        mu, logvar = self._run(encode, weights["encoder"], x, c)
        return losses.reparametrise(mu, logvar, noise), mu, logvar


def _chosen(rows: Rows, drawn: Tensor) -> Tensor:
    """Give row numbers of class-balanced batches, ``(batches, B)``: a class, then a row of it."""
    kind = (drawn[0] * len(rows["counts"])).long()
    within = (drawn[1] * rows["counts"][kind]).long()
    return rows["order"][rows["first"][kind] + within]


class Turn:
    """Weights that are trained, their optimizers, and the turn that trains them.

    Parameters
    ----------
    program
        What is computed.
    weights
        One model's, or those of several models, stacked.
    each
        Makes a function of one model's tensors one of several's, where `weights` are: `torch.vmap`.

    Attributes
    ----------
    adams
        The optimizers by name, ``generator`` and, where there is one, ``critic``.
    """

    def __init__(
        self,
        program: Program,
        weights: Weights,
        each: Callable[..., Callable[..., Any]] = lambda function, **_where: function,
    ) -> None:
        self.program, self.weights, self._each = program, weights, each
        config = program.config
        betas = (0.5, 0.9) if config.has_critic else (0.9, 0.999)
        self._makers = [*weights["decoder"], *weights.get("encoder", ())]
        trained = {"generator": self._makers} | ({"critic": weights["critic"]} if config.has_critic else {})
        self.adams = {
            name: torch.optim.Adam(
                part, config.learning_rate, betas, fused=True,
                capturable=self._makers[0].is_cuda,  # its step is recorded there
            )
            for name, part in trained.items()
        }  # fmt: skip

    def __call__(self, rows: Rows, draws: Draws) -> dict[str, Tensor]:
        """Do n_critic critic steps and one generator step; give the last losses, one a model."""
        found: dict[str, Tensor] = {}
        if "critic" in self.weights:
            batches = self._each(self.program.critic_batches, out_dims=1)(self.weights, rows, draws)
            for batch in zip(*batches, strict=True):
                found |= self._critic_step(*batch)
        return found | self._generator_step(rows, draws)

    def _critic_step(self, *batch: Tensor) -> dict[str, Tensor]:
        critic = self.weights["critic"]
        gradients, found = self._each(self.program.critic_gradients)(critic, *batch)
        for weight, gradient in zip(critic, gradients, strict=True):
            weight.grad = gradient
        self.adams["critic"].step()
        if not self.program.config.has_penalty:
            with torch.no_grad():
                for weight in critic:
                    weight.clamp_(-_WEIGHT_CLIP, _WEIGHT_CLIP)
        return found

    def _generator_step(self, rows: Rows, draws: Draws) -> dict[str, Tensor]:
        loss, found = self._each(self.program.generator_loss)(self.weights, rows, draws)
        self.adams["generator"].zero_grad()
        loss.sum().backward(inputs=self._makers)  # models share no weight
        self.adams["generator"].step()
        return found
