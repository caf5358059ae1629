"""What a generator costs against rows and against columns, on one thread.

    python experiments/speed/scaling.py

Made-up flow statistics (`machine.wide`): seconds of learning the codec, encoding the table, 100 steps of
training at the defaults, of joining the generator (anchors, neighbours, filter), and of drawing 100,000 rows.
Writes ``scaling.csv`` and ``scaling.png``.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from machine import FOLDER, machine, wide

from rareflow.generators.anchors import choose_anchors
from rareflow.generators.assembly import assemble
from rareflow.generators.codec import Codec
from rareflow.generators.portable import PortableGenerator
from rareflow.generators.training import Networks, Training, seeded
from rareflow.generators.training_config import TrainingConfig
from rareflow.workflows.settings import limit_threads

ROWS, COLUMNS = (10_000, 30_000, 100_000, 300_000, 1_000_000), (10, 26, 78, 200, 500)
FIXED_ROWS, FIXED_COLUMNS = 100_000, 26
DRAWN, STEPS, REPEATS = 100_000, 100, 3
CPU = torch.device("cpu")
SAMPLING = {"mode": "crossover", "n_neighbors": 5, "noise": 1.0, "filter": True, "snap": "shared"}

T = TypeVar("T")


def parts(rows: int, columns: int) -> dict[str, float]:
    """Seconds of each part, once."""
    X, y = wide(rows, columns)
    values, classes = np.unique(y, return_inverse=True)
    passed: dict[str, float] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        found = work()
        passed[name] = time.perf_counter() - start
        return found

    codec = timed("learn the codec", lambda: Codec().fit(X, (1.0 / np.bincount(classes))[classes]))
    encoded = timed("encode the table", lambda: codec.encode(X))
    config, layout = TrainingConfig(steps=STEPS), codec.layout
    networks = Networks(config, layout, len(values), seeded(0, CPU))
    x = torch.from_numpy(layout.one_hot(encoded.scaled, encoded.modes))
    training = Training(x, torch.from_numpy(classes), layout, config, networks, source=seeded(1, CPU))
    timed(f"train {STEPS} steps", lambda: list(training))

    def join() -> PortableGenerator:
        rows, spans = choose_anchors(classes, np.random.default_rng(0))
        return assemble(
            codec,
            networks,
            encoded.take(rows),
            spans,
            labels=y,
            values=values,
            sampling=SAMPLING,
            seed=np.random.SeedSequence(0),
        )

    generator = timed("join the generator", join)
    generator.sample("class 1", 5_000, seed=0)  # compiles
    timed(f"draw {DRAWN:,} rows", lambda: generator.sample("class 1", DRAWN, seed=1))
    return passed


def measure() -> pd.DataFrame:
    sizes = [("rows", rows, FIXED_COLUMNS) for rows in ROWS] + [("columns", FIXED_ROWS, n) for n in COLUMNS]
    found = []
    for against, rows, columns in sizes:
        runs = pd.DataFrame([parts(rows, columns) for _ in range(REPEATS)])
        for part, seconds in runs.median().items():
            found.append((against, rows, columns, part, round(seconds, 4)))
        print(against, rows, columns, runs.median().round(3).to_dict(), flush=True)
    return pd.DataFrame(found, columns=["against", "rows", "columns", "part", "seconds"])


def draw(results: pd.DataFrame) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    for ax, against in zip(axes, ("rows", "columns"), strict=True):
        chosen = results[results["against"] == against]
        for part, line in chosen.groupby("part", sort=False):
            ax.plot(line[against], line["seconds"], marker="o", label=part)
        other = f"{FIXED_COLUMNS} columns" if against == "rows" else f"{FIXED_ROWS:,} rows"
        ax.set(xscale="log", yscale="log", xlabel=f"{against} (at {other})")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("seconds, one thread")
    axes[1].legend(fontsize="small")
    figure.savefig(FOLDER / "scaling.png", dpi=110)


def main() -> None:
    limit_threads(1)
    results = measure()
    results.assign(machine=machine()).to_csv(FOLDER / "scaling.csv", index=False)
    draw(results)


if __name__ == "__main__":
    main()
