"""The knobs of a training, checked, and what follows from them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Integral, Real

import torch

from rareflow.errors import ConfigError

__all__ = ["ARCHITECTURES", "PRECISIONS", "TrainingConfig"]

ARCHITECTURES = ("vae-wgan-gp", "vae", "wgan-gp", "wgan")
"""The paper's model and its controls: the same, with the critic, the encoder or the penalty left out."""

PRECISIONS = ("auto", "float32", "bfloat16")
"""Of matrix products in training; weights, losses and Adam's moments are float32 in any case."""

_WHOLE = ("latent_dim", "hidden_dim", "n_critic", "steps", "batch_size")
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
            is_number = not isinstance(value, bool) and isinstance(value, kind)
            if not is_number or not math.isfinite(value) or value < least:
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

    @property
    def has_penalty(self) -> bool:
        """Whether the critic pays for slopes, instead of having its weights clipped."""
        return self.architecture.endswith("gp")

    def products(self, device: torch.device) -> torch.dtype:
        """Give the precision of matrix products on a device."""
        if self.precision != "auto":
            return torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        is_large = self.batch_size * self.hidden_dim >= _LARGE
        return torch.bfloat16 if is_large and _multiplies_bfloat16(device) else torch.float32


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
