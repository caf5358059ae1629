import dataclasses

import numpy as np
import pytest
import torch

from rareflow.errors import DivergedError
from rareflow.generators import networks, turn
from rareflow.generators.portable import Layout
from rareflow.generators.together import Together, shape_of
from rareflow.generators.training import Networks, Training, seeded
from rareflow.generators.training_config import ARCHITECTURES, TrainingConfig
from rareflow.generators.turn import Program, Turn

CPU = torch.device("cpu")
LAYOUT = Layout(2, (2, 3))
LAYOUTS = {
    "the same": [LAYOUT] * 3,
    "blocks of other sizes": [LAYOUT, Layout(2, (2, 5)), Layout(2, (3, 3))],
    "scalars alone": [Layout(2, ())] * 2,
    "blocks alone": [Layout(0, (4,)), Layout(0, (2,))],
    "one training": [LAYOUT],
}
TINY = TrainingConfig(latent_dim=2, hidden_dim=8, n_critic=2, steps=4, batch_size=16)


def training(seed, config=TINY, layout=LAYOUT, classes=2, dtype=torch.float32, device=CPU):
    """A training on rows of its own: each seed has another number of them."""
    rng, rows = np.random.default_rng(seed), 30 + 7 * seed
    modes = rng.integers(0, layout.sizes, (rows, len(layout.sizes)))
    x = torch.from_numpy(layout.one_hot(rng.normal(size=(rows, layout.scalars)), modes)).to(dtype)
    kinds = torch.from_numpy(np.arange(rows) % classes)
    networks = Networks(config, layout, classes, seeded(seed, CPU)).to(device, dtype)
    return Training(
        x.to(device), kinds.to(device), layout, config, networks, source=seeded(seed + 100, device)
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("layouts", LAYOUTS.values(), ids=LAYOUTS)
def test_together_each_training_does_what_it_does_alone(architecture, layouts):
    config = dataclasses.replace(TINY, architecture=architecture)
    alone, beside = (
        [training(seed, config, layout, dtype=torch.float64) for seed, layout in enumerate(layouts)]
        for _ in range(2)
    )
    told = list(Together(beside))
    for i, (one, other) in enumerate(zip(alone, beside, strict=True)):
        assert [step.step for step in one] == [steps[i].step for steps in told] == [1, 2, 3, 4]
        for expected, found in zip(one.history, other.history, strict=True):
            values, own = dataclasses.astuple(found), dataclasses.astuple(expected)
            assert values == pytest.approx(own, rel=1e-10, abs=1e-10, nan_ok=True)
        for name, weight in one.networks.state_dict().items():
            torch.testing.assert_close(other.networks.state_dict()[name], weight, rtol=0, atol=1e-10)
        assert torch.equal(one.source.get_state(), other.source.get_state())


def test_together_too_all_products_are_bfloat16_where_asked(monkeypatch):
    seen = set()
    for name in ("perceptron", "decode", "encode"):
        honest = getattr(networks, name)

        def watched(weights, *inputs, honest=honest):
            given = honest(weights, *inputs)
            seen.update(each.dtype for each in (*weights, *inputs, given))
            return given

        for module in (networks, turn):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, watched)
    config = dataclasses.replace(TINY, precision="bfloat16")
    list(Together([training(seed, config) for seed in range(2)]))
    assert seen == {torch.bfloat16}


def test_trainings_side_by_side_stay_apart():
    one, beside = [training(0), training(1)], [training(0), training(2)]
    list(Together(one))
    list(Together(beside))
    for name, weight in one[0].networks.state_dict().items():
        assert torch.equal(weight, beside[0].networks.state_dict()[name])


@pytest.mark.parametrize(
    "other",
    [
        training(1, dataclasses.replace(TINY, lambda_gp=1.0)),
        training(1, layout=Layout(3, (2, 3))),
        training(1, layout=Layout(2, (2, 3, 3))),
        training(1, classes=3),
    ],
)
def test_trainings_have_a_shape_in_common_where_nothing_but_rows_seed_and_sizes_of_blocks_differs(other):
    assert shape_of(training(0)) == shape_of(training(1)) == shape_of(training(1, layout=Layout(2, (4, 9))))
    assert shape_of(training(0)) != shape_of(other)


def test_one_that_diverges_is_told_with_its_own_history():
    beside = [training(0), training(1)]
    beside[1].rows["x"].fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"^training diverged at step 1 of 4 ") as caught:
        list(Together(beside))
    assert caught.value.history == []
    assert [len(each.history) for each in beside] == [1, 0]


class NoOptimizer:
    """Adam knows no tensors without data."""

    def __init__(self, *_how, **_more):
        pass

    def zero_grad(self):
        pass

    def step(self):
        pass


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("count", [0, 3], ids=["alone", "three together"])
def test_a_turn_needs_no_data_and_nothing_from_another_device(architecture, count, monkeypatch):
    """As far as a machine without a GPU can tell: an operation on tensors of two devices fails."""
    monkeypatch.setattr(torch.optim, "Adam", NoOptimizer)
    config = dataclasses.replace(TINY, architecture=architecture)
    own = training(0, config)

    def bare(tensor):
        shape = ((count,) if count else ()) + tensor.shape
        return torch.empty(shape, dtype=tensor.dtype, device="meta")

    rows = {name: bare(tensor) for name, tensor in own.rows.items()}
    weights = {
        name: tuple(torch.nn.Parameter(bare(each)) for each in part) for name, part in own.weights.items()
    }
    program = Program(config, LAYOUT, rows["x"])
    turn = Turn(program, weights, **({"each": torch.vmap} if count else {}))
    draws = program.draw(None)
    found = turn(
        rows, {name: torch.stack([each] * count) for name, each in draws.items()} if count else draws
    )
    assert {each.shape for each in found.values()} == {torch.Size((count,) if count else ())}
    for part in weights.values():
        for weight in part:
            assert (weight.grad.device.type, weight.grad.shape) == ("meta", weight.shape)
