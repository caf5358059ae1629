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
from rareflow.generators.critic import Critic
from rareflow.generators.networks import Decoder, Encoder, initialise
from rareflow.generators.recording import repeated
from rareflow.generators.turn import Program, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rareflow.generators.portable import Layout
    from rareflow.generators.training_config import TrainingConfig
    from rareflow.generators.turn import Rows, Weights

__all__ = ["Networks", "Step", "Training", "seeded"]


@dataclass(frozen=True)
class Step:
    """One generator step's losses; NaN where the architecture has no such part.

    Parameters
    ----------
    step
        Generator step, from 1.
    critic
        Eq. 7's Wasserstein estimate E[D(x)] - E[D(G(z))] of the last critic step, before it.
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
    program, rows, weights
        See `turn`.
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
        self.layout, self.config, self.networks, self.source = layout, config, networks, source
        counts = torch.bincount(classes)
        self.rows: Rows = {
            "x": x,
            "onehot": functional.one_hot(classes).to(x.dtype),
            "order": torch.argsort(classes, stable=True),
            "counts": counts,
            "first": torch.cumsum(counts, 0) - counts,
        }
        self.weights: Weights = {name: tuple(part.parameters()) for name, part in networks.named_children()}
        self.program = Program(config, layout, x)
        self._turn = Turn(self.program, self.weights)
        self.history: list[Step] = []

    def __iter__(self) -> Iterator[Step]:
        """Give each generator step as it is done, from where the training stands to its end.

        Raises
        ------
        DivergedError
            If a loss or, in the end, a weight is no longer finite.
        """
        turn = repeated(self.turn, [self.source])
        for _ in range(len(self.history), self.config.steps):
            told = turn()
            # At once: a device is waited for but once a turn.
            yield self.tell(dict(zip(told, torch.stack(list(told.values())).tolist(), strict=True)))
        self.end()

    def turn(self) -> dict[str, Tensor]:
        """Do a turn; give the last losses, each of shape ``()``."""
        return self._turn(self.rows, self.program.draw(self.source))

    def tell(self, found: dict[str, float]) -> Step:
        """Note the losses of a turn that was done.

        Raises
        ------
        DivergedError
            If one is no longer finite.
        """
        number = len(self.history) + 1
        if not all(math.isfinite(value) for value in found.values()):
            raise self._diverged(number, str(found))
        self.history.append(Step(number, **found))
        return self.history[-1]

    def end(self) -> None:
        """Look at the weights after the last turn.

        Raises
        ------
        DivergedError
            If one is no longer finite.
        """
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
        for name, adam in self._turn.adams.items():
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
        for name, adam in self._turn.adams.items():
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


def seeded(seed: int | np.random.SeedSequence, device: torch.device) -> torch.Generator:
    """Give a random source on a device from a seed."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return torch.Generator(device).manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
