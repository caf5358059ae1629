"""What a CUDA device does, where there is one: `test_recording` emulates it elsewhere."""

import dataclasses

import numpy as np
import pytest
import torch

from rareflow.generators.checkpoint import Checkpoint
from rareflow.generators.estimators import VAEWGANGP, fit_together
from rareflow.generators.recording import is_recorded
from rareflow.generators.together import Together
from rareflow.generators.training_config import ARCHITECTURES
from tests.generators.test_together import TINY, training

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")

CUDA = torch.device("cuda", 0)
LONGER = dataclasses.replace(TINY, steps=8)
SMALL = {"steps": 6, "hidden_dim": 16, "batch_size": 32, "device": "cuda"}


def table(seed, rows=120):
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 3
    return rng.normal(size=(rows, 4)) + y[:, None], y


def same(one, other):
    assert str(one.history) == str(other.history)
    for name, weight in one.networks.state_dict().items():
        assert torch.equal(other.networks.state_dict()[name], weight), name
    assert torch.equal(one.source.get_state(), other.source.get_state())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_recorded_turns_train_to_the_bits_of_turns_one_by_one(architecture, precision, monkeypatch):
    monkeypatch.delenv("RAREFLOW_CUDA_GRAPHS", raising=False)
    config = dataclasses.replace(LONGER, architecture=architecture, precision=precision)
    recorded, plain = (training(0, config, device=CUDA) for _ in range(2))
    assert is_recorded(recorded.source)
    list(recorded)
    monkeypatch.setenv("RAREFLOW_CUDA_GRAPHS", "0")
    list(plain)
    same(recorded, plain)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_recorded_together_each_training_does_what_it_does_alone(architecture):
    config = dataclasses.replace(LONGER, architecture=architecture)
    alone, beside = (
        [training(seed, config, dtype=torch.float64, device=CUDA) for seed in range(3)] for _ in range(2)
    )
    list(Together(beside))
    for one, other in zip(alone, beside, strict=True):
        list(one)
        for name, weight in one.networks.state_dict().items():
            torch.testing.assert_close(other.networks.state_dict()[name], weight, rtol=0, atol=1e-10)
        assert torch.equal(one.source.get_state(), other.source.get_state())


def test_a_turn_computes_what_the_cpu_computes():
    """Of the same rows, weights and draws: the two devices' own random numbers differ."""
    there, here = (training(0, LONGER, dtype=torch.float64, device=where) for where in (CUDA, "cpu"))
    draws = here.program.draw(here.source)
    told = there._turn(there.rows, {name: drawn.to(CUDA) for name, drawn in draws.items()})
    for name, value in here._turn(here.rows, draws).items():
        assert told[name].item() == pytest.approx(value.item(), rel=1e-10, abs=1e-12), name
    for name, weight in here.networks.state_dict().items():
        torch.testing.assert_close(there.networks.state_dict()[name].cpu(), weight, rtol=0, atol=1e-9)


@pytest.mark.parametrize("done", [1, 2, 3, 5])
def test_a_training_goes_on_from_a_checkpoint_as_if_never_stopped(done):
    whole, first, second = (training(0, LONGER, device=CUDA) for _ in range(3))
    list(whole)
    steps = iter(first)
    for _ in range(done):
        next(steps)
    second.resume(first.state())
    list(second)
    same(whole, second)


def test_a_fit_that_was_stopped_ends_with_the_same_generator(tmp_path):
    class Stopped(Exception):  # noqa: N818
        pass

    def stop(step):
        if step.step == 4:
            raise Stopped

    X, y = table(0)
    whole = VAEWGANGP(**SMALL, random_state=0).fit(X, y)
    again = VAEWGANGP(**SMALL, random_state=0)
    kept = Checkpoint(tmp_path, every=1)
    with pytest.raises(Stopped):
        again.fit(X, y, on_step=stop, checkpoint=kept)
    again.fit(X, y, checkpoint=kept)
    assert str(again.history_) == str(whole.history_)
    assert again.sample(1, 20, random_state=0).equals(whole.sample(1, 20, random_state=0))


def test_a_generator_fitted_there_is_used_without_it_and_is_the_same_each_time():
    one, other = (VAEWGANGP(**SMALL, random_state=0).fit(*table(0)) for _ in range(2))
    assert {type(tensor) for tensor in one.generator_.tensors.values()} == {np.ndarray}
    assert one.sample(2, 50, random_state=0).equals(other.sample(2, 50, random_state=0))


def test_generators_of_several_shapes_are_fitted_together():
    makes = [{"latent_dim": 4}, {"latent_dim": 6}, {"latent_dim": 4}, {"latent_dim": 4, "n_critic": 1}]
    tables = [table(seed, 90 + 12 * seed) for seed in range(4)]
    found = fit_together([VAEWGANGP(**SMALL, **make, random_state=0) for make in makes], tables)
    for generator, (X, _) in zip(found, tables, strict=True):
        assert len(generator.history_) == SMALL["steps"]
        assert generator.sample(0, 30, random_state=1).shape == (30, X.shape[1])
