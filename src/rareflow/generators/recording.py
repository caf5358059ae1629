"""A turn that a CUDA device does by itself: recorded there once, and launched as one from then on.

At the sizes of tables a turn is hundreds of operations of some microseconds each, and telling a device of one
takes longer than doing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

__all__ = ["is_recorded", "repeated"]

_EAGER = 2  # turns before the recording: optimizers make their moments, libraries their workspaces


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
    """Tell whether turns are recorded on a source's device."""
    return source.device.type == "cuda"


class _Recorded:
    """Turns of which the first are done as they are, the next is recorded, and all others repeat that."""

    def __init__(self, turn: Callable[[], dict[str, Tensor]], sources: Sequence[torch.Generator]) -> None:
        self._turn, self._sources, self._done = turn, sources, 0
        self._side = torch.cuda.Stream(sources[0].device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> dict[str, Tensor]:
        """Do a turn; what it gives is overwritten by the next one."""
        self._done += 1
        if self._done <= _EAGER:
            # Not on the default stream, which a recording must not depend on.
            self._side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._side):
                told = self._turn()
            torch.cuda.current_stream().wait_stream(self._side)
            return told
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            for source in self._sources:
                self._graph.register_generator_state(source)
            with torch.cuda.graph(self._graph):  # nothing is done yet
                self._told = self._turn()
        self._graph.replay()
        return self._told
