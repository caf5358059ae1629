"""A turn that a CUDA device does by itself: recorded there once, and launched as one from then on.

At the sizes of tables a turn is hundreds of operations of some microseconds each, and telling a device of one
takes longer than doing it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import torch

from rareflow.errors import ConfigError, lacks_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

__all__ = ["is_recorded", "repeated"]

_EAGER = 2  # turns before the recording: optimizers make their moments, libraries their workspaces
_SWITCH = "RAREFLOW_CUDA_GRAPHS"


def repeated(
    turn: Callable[[], dict[str, Tensor]], sources: Sequence[torch.Generator]
) -> Callable[[], dict[str, Tensor]]:
    """Give what does a turn a call, as ``turn`` does: on a CUDA device as a CUDA graph.

    Parameters
    ----------
    turn
        Reads nothing off its device, has tensors of the same shapes every time, and changes what it changes
        in place.
    sources
        All random sources that it draws from, on its device. What is recorded draws what a turn would.
    """
    return _Recorded(turn, sources) if is_recorded(sources[0]) else turn


def is_recorded(source: torch.Generator) -> bool:
    """Tell whether turns are recorded on a source's device: on CUDA's, unless switched off."""
    return source.device.type == "cuda" and os.environ.get(_SWITCH) != "0"


@cache
def _side(device: torch.device) -> torch.cuda.Stream:
    """Give the one stream that a device's turns are done on before their recording, and recorded on.

    One, because libraries keep memory for every stream that they have met.
    """
    return torch.cuda.Stream(device)


class _Recorded:
    """Turns of which the first are done as they are, the next is recorded, and all others repeat that."""

    def __init__(self, turn: Callable[[], dict[str, Tensor]], sources: Sequence[torch.Generator]) -> None:
        self._turn, self._sources, self._done = turn, sources, 0
        self._side = _side(sources[0].device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> dict[str, Tensor]:
        """Do a turn; what it gives is overwritten by the next one."""
        self._done += 1
        if self._done <= _EAGER:
            self._side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._side):
                told = self._turn()
            torch.cuda.current_stream().wait_stream(self._side)
            return told
        if self._graph is None:
            self._graph = self._record()
        self._graph.replay()
        return self._told

    def _record(self) -> torch.cuda.CUDAGraph:
        """Note a turn's operations, of which none is done yet."""
        graph = torch.cuda.CUDAGraph()
        for source in self._sources:
            graph.register_generator_state(source)
        try:
            with torch.cuda.graph(graph, stream=self._side):
                self._told = self._turn()
        except RuntimeError as err:
            if lacks_memory(err):
                raise
            raise ConfigError(
                "this CUDA device refuses to record a turn of training; set the environment variable "
                f"{_SWITCH}=0 to train without recording ({err})"
            ) from err
        return graph
