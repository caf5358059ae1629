import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rareflow.errors import ConfigError, DivergedError
from rareflow.generators import losses
from rareflow.generators.networks import activate, membership
from rareflow.generators.portable import Layout
from rareflow.generators.together import Together
from rareflow.generators.training import Networks, Training, seeded
from rareflow.generators.training_config import ARCHITECTURES, TrainingConfig
from rareflow.generators.turn import Turn

CPU = torch.device("cpu")
LAYOUT = Layout(2, (2, 3))
TINY = TrainingConfig(latent_dim=2, hidden_dim=8, n_critic=2, steps=3, batch_size=16)


def rows_of(classes, seed=0):
    """Codec vectors whose first scalar is near their class number."""
    rng = np.random.default_rng(seed)
    scaled = np.stack([classes + rng.normal(0, 0.1, len(classes)), rng.normal(size=len(classes))], axis=1)
    modes = np.stack([classes % 2, rng.integers(0, 3, len(classes))], axis=1)
    return torch.from_numpy(LAYOUT.one_hot(scaled, modes))


def fit(config, classes=None, seed=0):
    classes = np.arange(40) % 2 if classes is None else classes
    networks = Networks(config, LAYOUT, int(classes.max()) + 1, seeded(seed, CPU))
    before = {name: value.clone() for name, value in networks.state_dict().items()}
    steps = list(
        Training(
            rows_of(classes),
            torch.from_numpy(classes),
            LAYOUT,
            config,
            networks,
            source=seeded(seed + 1, CPU),
        )
    )
    return networks, before, steps


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_seed_gives_the_same_bits_and_another_seed_others(architecture):
    config = dataclasses.replace(TINY, architecture=architecture)
    (one, _, history), (same, _, again), (other, *_) = fit(config), fit(config), fit(config, seed=5)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
    assert not torch.equal(one.decoder.net["0"].weight, other.decoder.net["0"].weight)
    assert str(history) == str(again)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_of_every_network_moves(architecture):
    networks, before, _ = fit(dataclasses.replace(TINY, architecture=architecture))
    for name, value in networks.state_dict().items():
        if name != "critic.last.bias":  # cancels in E[D(real)] - E[D(fake)]
            assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    ("architecture", "encoder", "critic", "absent"),
    [
        ("vae-wgan-gp", True, True, set()),
        ("vae", True, False, {"critic", "generator", "gradient_penalty"}),
        ("wgan-gp", False, True, {"reconstruction", "kl"}),
        ("wgan", False, True, {"reconstruction", "kl", "gradient_penalty"}),
    ],
)
def test_an_architecture_has_its_parts_and_nan_for_the_losses_of_others(
    architecture, encoder, critic, absent
):
    networks, _, steps = fit(dataclasses.replace(TINY, architecture=architecture))
    assert (networks.encoder is not None, networks.critic is not None) == (encoder, critic)
    assert [step.step for step in steps] == [1, 2, 3]
    for step in steps:
        assert {name for name, value in dataclasses.asdict(step).items() if math.isnan(value)} == absent


def test_the_kl_divergence_counts_as_often_as_its_weight_says():
    data, classes = rows_of(np.arange(40) % 2), torch.from_numpy(np.arange(40) % 2)

    def loss(kl_weight):
        config = dataclasses.replace(TINY, kl_weight=kl_weight)
        networks = Networks(config, LAYOUT, 2, seeded(0, CPU))
        loop = Training(data, classes, LAYOUT, config, networks, source=seeded(1, CPU))
        return loop.program.generator_loss(loop.weights, loop.rows, loop.program.draw(seeded(2, CPU)))

    (without, parts), (twice, _) = loss(0.0), loss(2.0)
    assert parts["kl"] > 0
    assert (twice - without).item() == pytest.approx(2 * parts["kl"].item(), rel=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_adam_forgets_sooner_beside_a_critic(architecture):
    config = dataclasses.replace(TINY, architecture=architecture)
    networks = Networks(config, LAYOUT, 2, seeded(0, CPU))
    loop = Training(
        rows_of(np.arange(4) % 2), torch.arange(4) % 2, LAYOUT, config, networks, source=seeded(1, CPU)
    )
    betas = {adam.defaults["betas"] for adam in Turn(loop.program, loop.weights).adams.values()}
    assert betas == {(0.9, 0.999) if architecture == "vae" else (0.5, 0.9)}


def test_building_and_training_leaves_torch_s_global_random_state_alone():
    state = torch.random.get_rng_state()
    fit(TINY)
    assert torch.equal(state, torch.random.get_rng_state())


class Watch(TorchDispatchMode):
    """Notes the shape of every operation's first tensor, and what would make a host wait for its device."""

    def __init__(self):
        super().__init__()
        self.turns, self.waits = [[]], []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, given = func.overloadpacket.__name__, func(*args, **(kwargs or {}))
        if name in {"_local_scalar_dense", "nonzero", "equal", "is_nonzero"}:
            self.waits.append(name)
        shape = tuple(given.shape) if isinstance(given, torch.Tensor) else ()
        self.turns[-1].append((name, shape))
        return given


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("together", [0, 2])
def test_a_turn_reads_nothing_off_its_device_and_does_the_same_every_time(architecture, together):
    config = dataclasses.replace(TINY, architecture=architecture)
    classes = np.arange(40) % 2
    loops = [
        Training(
            rows_of(classes),
            torch.from_numpy(classes),
            LAYOUT,
            config,
            Networks(config, LAYOUT, 2, seeded(0, CPU)),
            source=seeded(1, CPU),
        )
        for _ in range(together or 1)
    ]
    loop = Together(loops) if together else loops[0]
    loop.turn()  # Adam's moments are made in the first one
    with Watch() as watch:
        for _ in range(2):
            loop.turn()
            watch.turns.append([])
    assert watch.waits == []
    assert len(watch.turns[0]) > 50
    assert watch.turns[0] == watch.turns[1]


def test_the_weights_of_a_wgan_critic_stay_within_their_box():
    networks, *_ = fit(dataclasses.replace(TINY, architecture="wgan", learning_rate=0.1))
    for weight in networks.critic.parameters():
        assert weight.abs().max() <= 0.01


def test_the_critic_of_a_wgan_gp_is_not_clipped():
    networks, *_ = fit(dataclasses.replace(TINY, architecture="wgan-gp"))
    assert max(weight.abs().max() for weight in networks.critic.parameters()) > 0.01


def test_batches_hold_a_class_of_eleven_rows_as_often_as_one_of_ten_thousand(monkeypatch):
    seen = []
    honest = losses.reconstruction
    monkeypatch.setattr(
        losses, "reconstruction", lambda raw, x, layout: (seen.append(x), honest(raw, x, layout))[1]
    )
    classes = np.repeat([0, 1], [11, 10_000])
    fit(dataclasses.replace(TINY, architecture="vae", batch_size=500, steps=80), classes)
    batches = torch.cat(seen)
    rare = batches[:, LAYOUT.scalars] == 1.0  # block 0 is the parity of the class
    assert len(batches) == 40_000
    assert rare.float().mean().item() == pytest.approx(0.5, abs=0.02)
    distinct, counts = torch.unique(batches[rare], dim=0, return_counts=True)
    assert len(distinct) == 11
    assert counts.min() > 0.8 * counts.max()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("classes", [np.array([0]), np.array([0, 1])])
def test_a_batch_of_one_row_and_a_table_of_one_row_a_class_are_trained_on(architecture, classes):
    _, _, steps = fit(dataclasses.replace(TINY, architecture=architecture, batch_size=1), classes)
    assert len(steps) == TINY.steps


def test_a_loss_that_is_no_number_stops_the_training_with_a_remedy():
    config = dataclasses.replace(TINY, learning_rate=1e30, steps=50)
    with pytest.raises(
        DivergedError, match=r"^training diverged at step \d+ of 50 \(.*'critic': .*\); lower learning"
    ):
        fit(config)


def test_weights_that_the_last_step_broke_are_refused():
    config = dataclasses.replace(TINY, architecture="vae", learning_rate=1e39, steps=1)
    with pytest.raises(
        DivergedError, match=r"^training diverged at step 1 of 1 \(weights are no longer finite\); lower"
    ):
        fit(config)


@pytest.mark.parametrize("name", ["latent_dim", "hidden_dim", "n_critic", "steps", "batch_size"])
@pytest.mark.parametrize("value", [0, -3, 2.5, math.inf, "7", True])
def test_a_size_that_is_no_whole_number_is_refused_with_its_name_and_value(name, value):
    with pytest.raises(ConfigError) as refusal:
        TrainingConfig(**{name: value})
    assert str(refusal.value) == f"{name}={value!r} must be a whole number of at least 1"


@pytest.mark.parametrize("name", ["lambda_gp", "kl_weight", "learning_rate"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "x"])
def test_a_weight_that_is_negative_or_no_number_is_refused_with_its_name_and_value(name, value):
    with pytest.raises(ConfigError) as refusal:
        TrainingConfig(**{name: value})
    assert str(refusal.value) == f"{name}={value!r} must be a finite number of at least 0"


def test_a_learning_rate_of_zero_is_refused():
    with pytest.raises(
        ConfigError, match=r"^learning_rate=0 trains nothing; give a positive number such as 0.001$"
    ):
        TrainingConfig(learning_rate=0)


def test_an_unknown_precision_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"^precision='float16' is none of auto, float32, bfloat16$"):
        TrainingConfig(precision="float16")


@pytest.mark.parametrize("knows", [True, False])
def test_products_are_bfloat16_where_asked_or_where_they_are_large_and_the_processor_knows_it(
    monkeypatch, knows
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": knows})
    large = TrainingConfig(batch_size=500, hidden_dim=256)
    assert large.products(CPU) == (torch.bfloat16 if knows else torch.float32)
    assert dataclasses.replace(large, precision="float32").products(CPU) == torch.float32
    assert TrainingConfig().products(CPU) == torch.float32
    assert TrainingConfig(precision="bfloat16").products(CPU) == torch.bfloat16


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_reduced_products_change_the_losses_but_little_and_leave_weights_in_float32(architecture):
    config = dataclasses.replace(TINY, architecture=architecture, batch_size=64, hidden_dim=32)
    (_, _, exact), (networks, _, rounded) = (
        fit(dataclasses.replace(config, precision=precision)) for precision in ("float32", "bfloat16")
    )
    assert {weight.dtype for weight in networks.parameters()} == {torch.float32}
    for one, other in zip(exact, rounded, strict=True):
        assert one != other
        for name, value in dataclasses.asdict(one).items():
            assert getattr(other, name) == pytest.approx(value, rel=0.05, abs=0.02, nan_ok=True)


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"^architecture='gan' is none of vae-wgan-gp, vae, wgan-gp, wgan$"):
        TrainingConfig(architecture="gan")


def test_numpy_numbers_are_numbers():
    config = TrainingConfig(steps=np.int64(3), learning_rate=np.float32(0.5), lambda_gp=0)
    assert config.steps == 3


def test_a_vae_reconstructs_better_the_longer_it_trains():
    _, _, steps = fit(dataclasses.replace(TINY, architecture="vae", steps=150, hidden_dim=32))
    assert steps[-1].reconstruction < 0.6 * steps[0].reconstruction


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_wgan_gp_learns_where_each_class_lies_and_its_critic_ends_near_slope_one(precision):
    config = TrainingConfig(
        "wgan-gp", latent_dim=4, hidden_dim=64, steps=600, batch_size=128, precision=precision
    )
    classes = np.repeat([0, 1], [200, 2_000])
    networks, _, steps = fit(config, classes)
    c = torch.nn.functional.one_hot(torch.arange(2_000) % 2).float()
    z = torch.randn(2_000, 4, generator=seeded(9, CPU))
    fake = activate(networks.decoder(z, c), membership(LAYOUT, like=z)).detach()
    low, high = (fake[c[:, kind] == 1, 0].mean().item() for kind in (0, 1))
    assert high - low == pytest.approx(1, abs=0.2)
    assert (low + high) / 2 == pytest.approx(0.5, abs=0.6)  # a game's players circle their goal together
    for kind in (0, 1):
        assert fake[c[:, kind] == 1, LAYOUT.scalars + kind].mean() > 0.9
    late = steps[-100:]
    assert abs(np.mean([step.critic for step in late])) < 0.3
    assert np.mean([step.gradient_penalty for step in late]) < 0.05
