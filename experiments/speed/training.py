"""How fast a turn of training is: n_critic critic steps and one generator step, beside the textbook's loop.

    python experiments/speed/training.py
    python experiments/speed/training.py --library PYTHON    # TVAE and CTGAN; an interpreter that has them

One thread. The textbook's loop has the same networks and batches, a pass for real rows and one for forged
ones, the penalty by double backward, PyTorch's default Adam. Interleaved repeats, their median. Writes
``training.csv`` (``library.csv``): critic rows a second, one for each real row that a critic step sees.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import FOLDER, machine, mixed, wide
from torch import Tensor, nn

from rareflow.generators.codec import Codec
from rareflow.generators.critic import Critic
from rareflow.generators.losses import kl_divergence, reconstruction, reparametrise
from rareflow.generators.networks import Decoder, Encoder
from rareflow.generators.portable import Layout
from rareflow.generators.training import Networks, Training, seeded
from rareflow.generators.training_config import TrainingConfig
from rareflow.workflows.settings import limit_threads

CPU = torch.device("cpu")
ROWS = 20_000
SIZES = {
    "batch 128, 128-128 (the defaults), mixed": (mixed, TrainingConfig(steps=10**6)),
    "batch 500, 256-256, 78 columns": (wide, TrainingConfig(steps=10**6, batch_size=500, hidden_dim=256)),
}
REPEATS, SECONDS = 7, 2.0

Encoded = tuple[Tensor, Tensor, Layout]


def encoded(table: Callable[[int], tuple[pd.DataFrame, pd.Series]]) -> Encoded:
    X, y = table(ROWS)
    classes = np.unique(y, return_inverse=True)[1]
    codec = Codec().fit(X, (1.0 / np.bincount(classes))[classes])
    rows = codec.encode(X)
    x = torch.from_numpy(codec.layout.one_hot(rows.scaled, rows.modes))
    return x, torch.from_numpy(classes), codec.layout


def ours(data: Encoded, config: TrainingConfig) -> Callable[[], object]:
    x, classes, layout = data
    networks = Networks(config, layout, int(classes.max()) + 1, seeded(0, CPU))
    steps = iter(Training(x, classes, layout, config, networks, source=seeded(1, CPU)))
    return lambda: next(steps)


def textbook(data: Encoded, config: TrainingConfig) -> Callable[[], object]:
    """WGAN-GP with an encoder, as a tutorial would write it."""
    rows, classes, layout = data
    count, width, hidden, latent = int(classes.max()) + 1, layout.width, config.hidden_dim, config.latent_dim
    onehot = nn.functional.one_hot(classes).float()
    order, of_kind = torch.argsort(classes), torch.bincount(classes)
    first = torch.cumsum(of_kind, 0) - of_kind
    encoder, decoder = Encoder(width, count, hidden, latent), Decoder(latent, count, hidden, width)
    critic = Critic(width, count, hidden)
    critic_adam = torch.optim.Adam(critic.parameters(), config.learning_rate, (0.5, 0.9))
    makers = [*encoder.parameters(), *decoder.parameters()]
    maker_adam = torch.optim.Adam(makers, config.learning_rate, (0.5, 0.9))

    def batch() -> tuple[Tensor, Tensor]:
        kinds = torch.randint(count, (config.batch_size,))
        chosen = order[first[kinds] + (torch.rand(config.batch_size) * of_kind[kinds]).long()]
        return rows[chosen], onehot[chosen]

    def softmax(raw: Tensor) -> Tensor:
        parts = [raw[:, : layout.scalars]]
        for columns, blocks, size in layout.groups:
            logits = raw[:, columns].unflatten(1, (blocks.stop - blocks.start, size))
            parts.append(torch.softmax(logits, dim=-1).flatten(1))
        return torch.cat(parts, dim=1)

    def forge(c: Tensor) -> Tensor:
        return softmax(decoder(torch.randn(len(c), latent), c))

    def critic_step() -> None:
        x, c = batch()
        fake = forge(c).detach()
        t = torch.rand(len(x), 1)
        between = (t * x + (1 - t) * fake).requires_grad_()
        score = critic(between, c)
        (slope,) = torch.autograd.grad(score, between, torch.ones_like(score), create_graph=True)
        penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
        loss = critic(fake, c).mean() - critic(x, c).mean() + config.lambda_gp * penalty
        critic_adam.zero_grad()
        loss.backward()
        critic_adam.step()

    def turn() -> None:
        for _ in range(config.n_critic):
            critic_step()
        x, c = batch()
        mu, logvar = encoder(x, c)
        raw = decoder(reparametrise(mu, logvar, torch.randn_like(mu)), c)
        loss = reconstruction(raw, x, layout) + config.kl_weight * kl_divergence(mu, logvar)
        loss = loss - critic(forge(c), c).mean()
        maker_adam.zero_grad()
        loss.backward()
        maker_adam.step()

    return turn


def turns_per_second(turn: Callable[[], object], seconds: float = SECONDS) -> float:
    count, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        turn()
        count += 1
    return count / passed


def gemm(rows: int, hidden: int, dtype: torch.dtype, device: torch.device = CPU) -> float:
    """GFLOP a second of the critic's largest product, ``(3 rows, hidden) @ (hidden, hidden)``."""
    a, b = (torch.randn(count, hidden).to(device, dtype) for count in (3 * rows, hidden))

    def products() -> None:
        for _ in range(100):
            torch.mm(a, b, out=c)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    c = a @ b
    products()
    rate = turns_per_second(products, 0.3 if device.type == "cuda" else SECONDS)
    return 100 * rate * 6 * rows * hidden**2 / 1e9


def critic_gflop(rows: int, width: int, hidden: int) -> float:
    """GFLOP of the matrix products of one critic step of ours; width counts the classes too."""
    return 2 * rows * hidden * (9 * hidden + 7 * width) / 1e9


def measure() -> pd.DataFrame:
    found = []
    for size, (table, config) in SIZES.items():
        data = encoded(table)
        rows, hidden = config.batch_size, config.hidden_dim
        loops = {
            "textbook": textbook(data, config),
            "rareflow float32": ours(data, replace(config, precision="float32")),
            "rareflow bfloat16": ours(data, replace(config, precision="bfloat16")),
        }
        rates: dict[str, list[float]] = {name: [] for name in loops}
        products: dict[str, list[float]] = {"float32": [], "bfloat16": []}
        for _ in range(REPEATS):
            for name, turn in loops.items():
                rates[name].append(turns_per_second(turn))
            for name, values in products.items():
                values.append(gemm(rows, hidden, getattr(torch, name)))
        width = data[2].width + int(data[1].max()) + 1
        for name in loops:
            rate, kind = statistics.median(rates[name]), name.rpartition(" ")[2]
            row = {
                "size": size,
                "codec_width": data[2].width,
                "loop": name,
                "is_default": config.products(CPU) == getattr(torch, kind, None),
                "ms_per_turn": round(1_000 / rate, 2),
                "critic_rows_per_second": round(rate * config.n_critic * rows),
                "over_textbook": round(rate / statistics.median(rates["textbook"]), 2),
            }
            if kind in products:
                gflops = rate * config.n_critic * critic_gflop(rows, width, hidden)
                most = statistics.median(products[kind])
                row |= {"critic_GFLOP_per_s": round(gflops, 1), "GEMM_GFLOP_per_s": round(most, 1)}
                row["share_of_GEMM"] = round(gflops / most, 2)
            found.append(row)
            print(row, flush=True)
    return pd.DataFrame(found)


LIBRARY = """
import statistics, sys, time, torch, pandas as pd
from ctgan import CTGAN, TVAE
torch.set_num_threads(1)
table = pd.read_parquet(sys.argv[1])
discrete = [name for name in table if table[name].nunique() <= 20]
stamps, step, epochs = [], torch.optim.Adam.step, 6

def timed(self, *args, **kwargs):
    stamps.append(time.perf_counter())
    return step(self, *args, **kwargs)

torch.optim.Adam.step = timed
for make in (TVAE, CTGAN):
    stamps.clear()
    torch.manual_seed(0)
    start = time.perf_counter()
    make(epochs=epochs, enable_gpu=False).fit(table, discrete)
    first = stamps[:: len(stamps) // epochs]
    epoch = statistics.median(b - a for a, b in zip(first, first[1:]))
    print(make.__name__, len(table) / epoch, stamps[0] - start)
"""


def library(python: str) -> pd.DataFrame:
    """Train TVAE and CTGAN at their defaults on 97,000 rows: the median of five epochs of each."""
    X, y = mixed(97_000)
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "table.parquet"
        X.assign(result=y).to_parquet(file)
        words = [python, "-W", "ignore", "-c", LIBRARY, str(file)]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout  # noqa: S603 - the user's
    for line in said.splitlines():
        name, rate, before = line.split()
        found.append(
            {"loop": name, "rows_per_second": round(float(rate)), "preprocessing_s": round(float(before))}
        )
    data = encoded(lambda _: (X, y))
    for batch_size, hidden_dim in ((128, 128), (500, 128), (500, 256)):
        config = TrainingConfig(steps=10**6, batch_size=batch_size, hidden_dim=hidden_dim)
        turn = ours(data, config)
        rate = statistics.median(turns_per_second(turn) for _ in range(REPEATS))
        name = f"rareflow, batch {batch_size}, {hidden_dim}-{hidden_dim}"
        found.append({"loop": name, "rows_per_second": round(rate * config.n_critic * batch_size)})
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--library", default="", metavar="PYTHON", help="an interpreter that has ctgan")
    python = parser.parse_args().library
    limit_threads(1)
    results = library(python) if python else measure()
    print(results)
    file = FOLDER / ("library.csv" if python else "training.csv")
    results.assign(machine=machine()).to_csv(file, index=False)


if __name__ == "__main__":
    main()
