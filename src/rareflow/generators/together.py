"""Several trainings as one program: every operation of a turn serves all of them.

A network of a few hundred units leaves a GPU idle; it can do ten of them in one go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from rareflow.generators.portable import Layout
from rareflow.generators.recording import repeated
from rareflow.generators.turn import Program, Turn

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from torch import Tensor

    from rareflow.generators.training import Step, Training
    from rareflow.generators.turn import Rows

__all__ = ["Together", "shape_of"]

_NEVER = -1e4  # a logit whose share in a softmax is 0
_AXES = {  # of each network's weights, those along which codec space lies
    "encoder": (1, None, None, None, None, None),
    "decoder": (None, None, None, None, 0, 0),
    "critic": (1, None, None, None, None, None),
}


def shape_of(training: Training) -> Hashable:
    """Give what trainings must have in common to be done together.

    That is all but their rows, their random source and the sizes of their layouts' blocks, which are padded.
    """
    layout, classes = training.layout, len(training.rows["counts"])
    return training.config, layout.scalars, len(layout.sizes), classes, training.source.device


class Together:
    """Trainings under way side by side: an iterator of the steps of all of them, a turn at a time.

    Each draws from its own source what it would draw alone, and computes what it would compute alone, but for
    the rounding of sums.

    Parameters
    ----------
    trainings
        At least one, of equal `shape_of`, none of which has begun.
    """

    def __init__(self, trainings: Sequence[Training]) -> None:
        self._trainings, config = trainings, trainings[0].config
        sizes = zip(*(training.layout.sizes for training in trainings), strict=True)
        layout = Layout(trainings[0].layout.scalars, tuple(map(max, sizes)))
        self._widenings = [
            _Widening(training.layout, layout, training.source.device) for training in trainings
        ]
        pairs = list(zip(self._widenings, trainings, strict=True))
        longest = max(len(training.rows["x"]) for training in trainings)
        rows = [widening.rows(training.rows, longest) for widening, training in pairs]
        self._rows = {name: torch.stack([each[name] for each in rows]) for name in rows[0]}
        weights = {
            name: tuple(
                nn.Parameter(torch.stack(same))
                for same in zip(*(each.weights(name, own.weights[name]) for each, own in pairs), strict=True)
            )
            for name in trainings[0].weights
        }
        self._turn = Turn(Program(config, layout, self._rows["x"]), weights, each=torch.vmap)

    def __iter__(self) -> Iterator[list[Step]]:
        """Give each training's step, turn by turn; after the last one their networks are trained.

        Raises
        ------
        DivergedError
            If a loss or, in the end, a weight of one of them is no longer finite.
        """
        turn = repeated(self.turn, [training.source for training in self._trainings])
        for _ in range(self._trainings[0].config.steps):
            told = turn()
            values = zip(*torch.stack(list(told.values())).tolist(), strict=True)
            yield [
                training.tell(dict(zip(told, own, strict=True)))
                for training, own in zip(self._trainings, values, strict=True)
            ]
        for i, (widening, training) in enumerate(zip(self._widenings, self._trainings, strict=True)):
            for name, weights in training.weights.items():
                widening.give_back([stacked[i] for stacked in self._turn.weights[name]], name, weights)
            training.end()

    def turn(self) -> dict[str, Tensor]:
        """Do a turn of all; give the last losses, ``(trainings,)`` each."""
        drawn = [training.program.draw(training.source) for training in self._trainings]
        draws = {name: torch.stack([each[name] for each in drawn]) for name in drawn[0]}
        return self._turn(self._rows, draws)


class _Widening:
    """How a model fits into a layout whose blocks are at least as large as its own.

    What is added stays without effect. Its entries of real and forged rows are 0, and so are the weights that
    read them and these weights' gradients, exactly: Adam would make a full step of the least of them. Its
    logits are so low that they take no share of a block, and no gradient.
    """

    def __init__(self, own: Layout, common: Layout, device: torch.device) -> None:
        places, start = list(range(own.scalars)), common.scalars
        for size, room in zip(own.sizes, common.sizes, strict=True):
            places += range(start, start + size)
            start += room
        self._places = torch.tensor(places, device=device)
        self._width = common.width

    def rows(self, rows: Rows, length: int) -> Rows:
        """Widen rows, and lengthen them by some that are never drawn."""
        more = length - len(rows["x"])
        return rows | {
            "x": functional.pad(self._spread(rows["x"], 1), (0, 0, 0, more)),
            "onehot": functional.pad(rows["onehot"], (0, 0, 0, more)),
            "order": functional.pad(rows["order"], (0, more)),
            "own": self._spread(rows["x"].new_ones(len(self._places)), 0),
        }

    @torch.no_grad()
    def weights(self, name: str, weights: Sequence[Tensor]) -> list[Tensor]:
        """Give a network's weights for the common layout."""
        return [
            weight if axis is None else self._spread(weight, axis, _NEVER if weight.ndim == 1 else 0.0)
            for weight, axis in zip(weights, _AXES[name], strict=True)
        ]

    @torch.no_grad()
    def give_back(self, widened: Sequence[Tensor], name: str, weights: Sequence[Tensor]) -> None:
        """Write a network's own share of the common layout's weights into it."""
        for weight, wide, axis in zip(weights, widened, _AXES[name], strict=True):
            weight.copy_(wide if axis is None else wide.index_select(axis, self._kept(weight.shape[axis])))

    def _spread(self, tensor: Tensor, axis: int, fill: float = 0.0) -> Tensor:
        """Move what stands along an axis to its places in the common layout; classes follow at its end."""
        shape = list(tensor.shape)
        shape[axis] += self._width - len(self._places)
        return tensor.new_full(shape, fill).index_copy_(axis, self._kept(tensor.shape[axis]), tensor)

    def _kept(self, length: int) -> Tensor:
        """Give the places of a model's own entries, and of what follows them up to its length."""
        after = torch.arange(length - len(self._places), device=self._places.device)
        return torch.cat([self._places, self._width + after])
