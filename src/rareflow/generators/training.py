"""The training loop: an iterator of frozen steps. It never logs, prints, saves or stops itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rareflow.errors import ConfigError, DivergedError
from rareflow.generators import losses
from rareflow.generators.critic import Critic
from rareflow.generators.networks import Decoder, Encoder, activate, initialise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rareflow.generators.portable import Layout

__all__ = ["ARCHITECTURES", "PRECISIONS", "Networks", "Step", "TrainingConfig", "train"]

ARCHITECTURES = ("vae-wgan-gp", "vae", "wgan-gp", "wgan")
"""The paper's model and its controls: the same, with the critic, the encoder or the penalty left out."""

PRECISIONS = ("auto", "float32", "bfloat16")
"""Of matrix products in training; weights, losses and Adam's moments are float32 in any case."""

_WHOLE = ("latent_dim", "hidden_dim", "n_critic", "steps", "batch_size")
_WEIGHT_CLIP = 0.01  # WGAN's box for the critic's weights (arXiv 1701.07875)
_LARGE = 2**16  # batch_size times hidden_dim from which products outweigh the conversions to bfloat16


@dataclass(frozen=True)
class TrainingConfig:
    """The knobs of a training.

    Parameters
    ----------
    architecture
        One of `ARCHITECTURES`.
    latent_dim
        Length of z, >= 1.
    hidden_dim
        Width of each of the two hidden layers of every network, >= 1.
    lambda_gp
        Weight of the gradient penalty in Eq. 7, >= 0.
    n_critic
        Critic steps a generator step, >= 1.
    kl_weight
        Weight of the KL term in Eq. 8 (the paper's is 1), >= 0.
    learning_rate
        Adam's, > 0.
    steps
        Generator steps, >= 1.
    batch_size
        Rows a batch, >= 1; batches hold every class about equally often.
    precision
        One of `PRECISIONS`. ``auto``: bfloat16 where the processor multiplies it faster and products are so
        large that it pays, which they are not at the defaults; else float32.
    """

    architecture: str = "vae-wgan-gp"
    latent_dim: int = 16
    hidden_dim: int = 128
    lambda_gp: float = 10.0
    n_critic: int = 5
    kl_weight: float = 0.1
    learning_rate: float = 1e-3
    steps: int = 300
    batch_size: int = 128
    precision: str = "auto"

    def __post_init__(self) -> None:
        legal = {"architecture": ARCHITECTURES, "precision": PRECISIONS}
        for name, value in asdict(self).items():
            if name in legal:
                if value not in legal[name]:
                    raise ConfigError(f"{name}={value!r} is none of {', '.join(legal[name])}")
                continue
            kind, least, what = (Integral, 1, "whole") if name in _WHOLE else (Real, 0, "finite")
            if not isinstance(value, kind) or not math.isfinite(value) or value < least:
                raise ConfigError(f"{name}={value!r} must be a {what} number of at least {least}")
        if self.learning_rate == 0:
            raise ConfigError("learning_rate=0 trains nothing; give a positive number such as 0.001")

    @property
    def has_encoder(self) -> bool:
        """Whether rows are encoded, so that sampling can stay near them."""
        return self.architecture.startswith("vae")

    @property
    def has_critic(self) -> bool:
        """Whether the generator plays against a critic."""
        return self.architecture != "vae"

    def products(self, device: torch.device) -> torch.dtype:
        """Give the precision of matrix products on a device."""
        if self.precision != "auto":
            return torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        is_large = self.batch_size * self.hidden_dim >= _LARGE
        return torch.bfloat16 if is_large and _multiplies_bfloat16(device) else torch.float32


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


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


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


def train(
    x: Tensor,
    classes: Tensor,
    layout: Layout,
    config: TrainingConfig,
    networks: Networks,
    *,
    source: torch.Generator,
) -> Iterator[Step]:
    """Train the networks in place, one generator step a turn.

    Parameters
    ----------
    x
        Codec vectors of the training rows, ``(N, D)``, on the device of the networks.
    classes
        Class number of each row, ``(N,)``, int64 from 0; every number below the largest occurs.
    layout, config, networks, source
        As named; `source` is a random source on the same device.

    Raises
    ------
    DivergedError
        If a loss or, in the end, a weight is no longer finite.
    """
    loop = _Loop(x, classes, layout, config, networks, source=source)
    for number in range(1, config.steps + 1):
        told = loop.turn()
        # At once: a device is waited for but once a turn.
        found = dict(zip(told, torch.stack(list(told.values())).tolist(), strict=True))
        if not all(math.isfinite(value) for value in found.values()):
            raise DivergedError(
                f"training diverged at step {number} of {config.steps} ({found}); "
                "lower learning_rate or raise n_critic"
            )
        yield Step(number, **found)
    if not all(bool(weight.isfinite().all()) for weight in networks.parameters()):
        raise DivergedError(
            f"training diverged at step {config.steps} of {config.steps} (weights are no longer finite); "
            "lower learning_rate or raise n_critic"
        )


class _Loop:
    """What a turn of the loop needs; `turn` is n_critic critic steps and one generator step.

    A turn reads nothing off its device, and its tensors have the same shapes every time.
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
        if networks.critic is not None:
            self.critic_adam = torch.optim.Adam(
                networks.critic.parameters(), config.learning_rate, betas, fused=True
            )

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
