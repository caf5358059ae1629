"""The training loop. It never logs, prints, saves or stops itself."""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rareflow.errors import DivergedError
from rareflow.generators import losses
from rareflow.generators.critic import Critic
from rareflow.generators.networks import Decoder, Encoder, activate, initialise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rareflow.generators.portable import Layout
    from rareflow.generators.training_config import TrainingConfig

__all__ = ["Networks", "Step", "Training", "seeded"]

_WEIGHT_CLIP = 0.01  # WGAN's box for the critic's weights (arXiv 1701.07875)


@dataclass(frozen=True)
class Step:
    """One generator step's losses; NaN where the architecture has no such part.

    Parameters
    ----------
    step
        Generator step, from 1.
    critic
        Eq. 7's Wasserstein estimate E[D(x)] - E[D(G(z))] after the last critic step.
    generator
        -E[D(G(z))].
    gradient_penalty
        E[(||grad D|| - 1)^2], without lambda.
    reconstruction, kl
        The two terms of Eq. 2, in nats a row.
    """

    step: int
    critic: float = math.nan
    generator: float = math.nan
    gradient_penalty: float = math.nan
    reconstruction: float = math.nan
    kl: float = math.nan


class Networks(nn.Module):
    """Encoder, decoder and critic of one model, drawn from one random source."""

    def __init__(self, config: TrainingConfig, layout: Layout, classes: int, source: torch.Generator) -> None:
        super().__init__()
        width, hidden, latent = layout.width, config.hidden_dim, config.latent_dim
        with torch.random.fork_rng(devices=[]):  # torch's own initialisation draws from its global source
            self.decoder = Decoder(latent, classes, hidden, width)
            self.encoder = Encoder(width, classes, hidden, latent) if config.has_encoder else None
            self.critic = Critic(width, classes, hidden) if config.has_critic else None
        initialise(self, source)


class Training:
    """A training under way: an iterator of frozen steps that trains the networks in place, a turn a step.

    A turn, n_critic critic steps and one generator step, reads nothing off its device, and its tensors have
    the same shapes every time.

    Parameters
    ----------
    x
        Codec vectors of the training rows, ``(N, D)``, on the device of the networks.
    classes
        Class number of each row, ``(N,)``, int64 from 0; every number below the largest occurs.
    layout, config, networks, source
        As named; `source` is a random source on the same device.

    Attributes
    ----------
    history
        The steps done so far.
    """

    def __init__(
        self,
        x: Tensor,
        classes: Tensor,
        layout: Layout,
        config: TrainingConfig,
        networks: Networks,
        *,
        source: torch.Generator,
    ) -> None:
        self.x, self.layout, self.config, self.networks, self.source = x, layout, config, networks, source
        self.onehot = functional.one_hot(classes).to(x.dtype)
        self.counts = torch.bincount(classes)
        self.first = torch.cumsum(self.counts, 0) - self.counts
        self.order = torch.argsort(classes, stable=True)
        self.products = config.products(x.device)
        betas = (0.5, 0.9) if config.has_critic else (0.9, 0.999)
        makers = [networks.decoder, networks.encoder]
        self.weights = [p for part in makers if part is not None for p in part.parameters()]
        self.generator_adam = torch.optim.Adam(self.weights, config.learning_rate, betas, fused=True)
        self.adams = {"generator": self.generator_adam}
        if networks.critic is not None:
            self.critic_adam = torch.optim.Adam(
                networks.critic.parameters(), config.learning_rate, betas, fused=True
            )
            self.adams["critic"] = self.critic_adam
        self.history: list[Step] = []

    def __iter__(self) -> Iterator[Step]:
        """Give each generator step as it is done, from where the training stands to its end.

        Raises
        ------
        DivergedError
            If a loss or, in the end, a weight is no longer finite.
        """
        for number in range(len(self.history) + 1, self.config.steps + 1):
            told = self.turn()
            # At once: a device is waited for but once a turn.
            found = dict(zip(told, torch.stack(list(told.values())).tolist(), strict=True))
            if not all(math.isfinite(value) for value in found.values()):
                raise self._diverged(number, str(found))
            self.history.append(Step(number, **found))
            yield self.history[-1]
        if not all(bool(weight.isfinite().all()) for weight in self.networks.parameters()):
            raise self._diverged(self.config.steps, "weights are no longer finite")

    def _diverged(self, number: int, what: str) -> DivergedError:
        return DivergedError(
            f"training diverged at step {number} of {self.config.steps} ({what}); "
            "lower learning_rate or raise n_critic",
            [asdict(step) for step in self.history],
        )

    def state(self) -> dict[str, Tensor]:
        """Give all that the rest of the training depends on, and its history, by name, on the CPU."""
        found = {f"networks.{name}": value for name, value in self.networks.state_dict().items()}
        for name, adam in self.adams.items():
            for i, moments in adam.state_dict()["state"].items():
                found |= {f"{name}.{i}.{key}": value for key, value in moments.items()}
        history = torch.tensor([astuple(step) for step in self.history], dtype=torch.float64)
        found |= {"source": self.source.get_state(), "history": history}
        return {name: value.detach().cpu().contiguous() for name, value in found.items()}

    def resume(self, state: dict[str, Tensor]) -> None:
        """Stand where another training of the same rows, config and source stood when it gave its `state`.

        Raises
        ------
        KeyError
            If the state is that of another model.
        """
        weights = {name: state[f"networks.{name}"] for name in self.networks.state_dict()}
        for name, adam in self.adams.items():
            held = adam.state_dict()
            count = len(held["param_groups"][0]["params"])
            held["state"] = {
                i: {key: state[f"{name}.{i}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
                for i in range(count)
            }
            adam.load_state_dict(held)
        self.networks.load_state_dict(weights)
        self.source.set_state(state["source"])
        self.history = [Step(int(number), *losses) for number, *losses in state["history"].tolist()]

    def turn(self) -> dict[str, Tensor]:
        """Do n_critic critic steps and one generator step; give the last losses, each of shape ``()``."""
        found: dict[str, Tensor] = {}
        if self.networks.critic is not None:
            rows = self._rows(self.config.n_critic)
            c = self.onehot[rows]
            for batch in zip(self.x[rows], self._fakes(rows, c), c, strict=True):
                found |= self._critic_step(self.networks.critic, *batch)
        return found | self._generator_step(self._rows(1)[0])

    def _rows(self, batches: int) -> Tensor:
        """Draw row numbers of class-balanced batches, ``(batches, B)``: a class, then a row of it."""
        shape = (2, batches, self.config.batch_size)
        drawn = torch.rand(shape, generator=self.source, device=self.x.device, dtype=torch.float64)
        kind = (drawn[0] * len(self.counts)).long()
        within = (drawn[1] * self.counts[kind]).long()
        return self.order[self.first[kind] + within]

    def _run(self, network: nn.Module, *inputs: Tensor) -> Tensor:
        """Run a network, its products in the precision asked for; what it gives has that of the rows."""
        kind, reduced = self.x.device.type, self.products == torch.bfloat16
        with torch.autocast(kind, torch.bfloat16, enabled=reduced):
            given: Tensor = network(*inputs)
        return given.to(self.x.dtype)

    def _noise(self, rows: int) -> Tensor:
        shape = (rows, self.config.latent_dim)
        return torch.randn(shape, generator=self.source, device=self.x.device, dtype=self.x.dtype)

    def _latent(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Draw z from q(z|x, c), with the posterior's parameters; from the prior where no encoder is."""
        eps = self._noise(len(x))
        if self.networks.encoder is None:
            return eps, None, None
        mu, logvar = self._run(self.networks.encoder, x, c)
        return losses.reparametrise(mu, logvar, eps), mu, logvar

    @torch.no_grad()
    def _fakes(self, rows: Tensor, c: Tensor) -> Tensor:
        """Forge in one pass the rows that all critic steps of a turn judge, ``(n_critic, B, D)``.

        The first half of each batch is drawn from the prior, as in Eq. 7. Sampling stays near encoded rows,
        so the critic judges what the decoder makes of the posterior too, in the other half.
        """
        half = rows.shape[1] // 2
        prior = self._noise(len(rows) * half).unflatten(0, (len(rows), half))
        posterior = self._latent(self.x[rows[:, half:]].flatten(0, 1), c[:, half:].flatten(0, 1))[0]
        z = torch.cat([prior, posterior.unflatten(0, (len(rows), -1))], dim=1)
        raw = self._run(self.networks.decoder, z.flatten(0, 1), c.flatten(0, 1))
        return activate(raw, self.layout).unflatten(0, rows.shape)

    def _critic_step(self, critic: Critic, x: Tensor, fake: Tensor, c: Tensor) -> dict[str, Tensor]:
        clips = self.config.architecture == "wgan"
        t = None
        if not clips:
            t = torch.rand((len(x), 1), generator=self.source, device=x.device, dtype=x.dtype)
        gain, penalty = critic.descend(
            x, fake, c, t=t, lambda_gp=self.config.lambda_gp, precision=self.products
        )
        self.critic_adam.step()
        if clips:
            with torch.no_grad():
                for weight in critic.parameters():
                    weight.clamp_(-_WEIGHT_CLIP, _WEIGHT_CLIP)
        return {"critic": gain} if penalty is None else {"critic": gain, "gradient_penalty": penalty}

    def _generator_step(self, rows: Tensor) -> dict[str, Tensor]:
        x, c = self.x[rows], self.onehot[rows]
        z, mu, logvar = self._latent(x, c)
        half = len(x) // 2 if self.networks.critic is not None else 0
        z, kinds = torch.cat([z, self._noise(half)]), torch.cat([c, c[:half]])
        raw = self._run(self.networks.decoder, z, kinds)
        loss = torch.zeros((), device=x.device, dtype=x.dtype)
        found: dict[str, Tensor] = {}
        if mu is not None and logvar is not None:
            recon = losses.reconstruction(raw[: len(x)], x, self.layout)
            kl = losses.kl_divergence(mu, logvar)
            found |= {"reconstruction": recon.detach(), "kl": kl.detach()}
            loss = loss + recon + self.config.kl_weight * kl
        if self.networks.critic is not None:
            # As the critic sees them: half of the batch from the prior, the other half near encoded rows.
            score = -self._run(self.networks.critic, activate(raw[half:], self.layout), kinds[half:]).mean()
            found["generator"] = score.detach()
            loss = loss + score
        self.generator_adam.zero_grad()
        loss.backward(inputs=self.weights)
        self.generator_adam.step()
        return found


def seeded(seed: int | np.random.SeedSequence, device: torch.device) -> torch.Generator:
    """Give a random source on a device from a seed."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return torch.Generator(device).manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
