"""CUDA graphs, emulated: a machine without a GPU records the operations of a turn and does them again."""

import dataclasses
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rareflow.errors import ConfigError
from rareflow.generators import recording
from rareflow.generators.together import Together
from rareflow.generators.training_config import ARCHITECTURES
from tests.generators.test_together import TINY, training


class Tape(TorchDispatchMode):
    """Notes every operation with its very tensors; `replay` does them again, without the Python between."""

    def __init__(self):
        super().__init__()
        self.operations, self.sources, self.replays = [], [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, given))
        return given

    def register_generator_state(self, source):
        self.sources.append(source)

    def replay(self):
        self.replays += 1
        if self.replays == 1:  # a device only notes what this one has done while it noted it
            return
        with torch._C._AutoDispatchBelowAutograd():  # where it took its notes
            for func, args, kwargs, given in self.operations:
                held = {tensor.untyped_storage().data_ptr() for tensor in tensors((args, kwargs))}
                for old, new in zip(tensors(given), tensors(func(*args, **kwargs)), strict=True):
                    if new.untyped_storage().data_ptr() not in held:  # neither in place nor a view
                        old.copy_(new)


def tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class Stream:
    def __init__(self, _device=None):
        pass

    def wait_stream(self, _other):
        pass


@pytest.fixture
def tapes(monkeypatch):
    """Stand a tape in for every CUDA graph; give those that were made."""
    made = []

    def tape():
        made.append(Tape())
        return made[-1]

    @contextmanager
    def graph(tape, stream):
        assert isinstance(stream, Stream)
        with tape:
            yield

    for name, fake in {
        "CUDAGraph": tape,
        "Stream": Stream,
        "current_stream": Stream,
        "graph": graph,
        "stream": nullcontext,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(recording, "is_recorded", lambda _source: True)
    recording._side.cache_clear()
    yield made
    recording._side.cache_clear()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_recorded_turn_repeated_trains_as_turns_one_by_one_do(architecture, tapes, monkeypatch):
    config = dataclasses.replace(TINY, architecture=architecture, steps=8)
    recorded, plain = training(0, config), training(0, config)
    list(recorded)
    monkeypatch.setattr(recording, "is_recorded", lambda _source: False)
    list(plain)
    assert [(tape.replays, tape.sources) for tape in tapes] == [(6, [recorded.source])]
    assert str(recorded.history) == str(plain.history)
    for name, weight in plain.networks.state_dict().items():
        assert torch.equal(recorded.networks.state_dict()[name], weight), name


def test_a_recorded_turn_of_several_trains_each_as_alone(tapes):
    config = dataclasses.replace(TINY, steps=8)
    beside, alone = ([training(seed, config) for seed in range(2)] for _ in range(2))
    list(Together(beside))
    assert [tape.sources for tape in tapes] == [[each.source for each in beside]]
    for one, other in zip(alone, beside, strict=True):
        list(one)
        for name, weight in one.networks.state_dict().items():
            torch.testing.assert_close(other.networks.state_dict()[name], weight, rtol=1e-3, atol=1e-4)


def test_a_recorded_training_goes_on_from_a_checkpoint_as_if_never_stopped(tapes):
    config = dataclasses.replace(TINY, steps=8)
    whole, first, second = (training(0, config) for _ in range(3))
    list(whole)
    steps = iter(first)
    for _ in range(5):
        next(steps)
    second.resume(first.state())
    list(second)
    assert len(tapes) == 3
    assert str(second.history) == str(whole.history)
    for name, weight in whole.networks.state_dict().items():
        assert torch.equal(second.networks.state_dict()[name], weight), name


@pytest.mark.usefixtures("tapes")
def test_a_device_that_refuses_the_recording_is_told_of_with_the_way_out(monkeypatch):
    @contextmanager
    def refused(_tape, stream):  # noqa: ARG001 - torch's signature
        yield
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refused)
    with pytest.raises(ConfigError, match=r"set the environment variable RAREFLOW_CUDA_GRAPHS=0 to train"):
        list(training(0))


@pytest.mark.parametrize(
    ("device", "switch", "expected"), [("cuda", "", True), ("cuda", "0", False), ("cpu", "", False)]
)
def test_turns_are_recorded_on_cuda_devices_unless_switched_off(device, switch, expected, monkeypatch):
    monkeypatch.setenv("RAREFLOW_CUDA_GRAPHS", switch)
    assert recording.is_recorded(SimpleNamespace(device=torch.device(device))) is expected
