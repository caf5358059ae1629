"""Turns as they are, compiled, recorded as a CUDA graph, and several generators in one program.

    python experiments/speed/together.py                    # on the CPU: together.csv
    python experiments/speed/together.py --device cuda      # together-cuda.csv

78 columns, layers of 256, n_critic 5. ``turns_per_second`` counts a turn of each generator;
``critic_TFLOP_per_s`` the matrix products of its critic steps, beside what the largest of them reaches alone.
On a CPU nothing is compiled or recorded. Interleaved repeats, their median; one thread.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import pandas as pd
import torch
from machine import FOLDER, machine, wide
from training import Encoded, critic_gflop, encoded, gemm, turns_per_second

from rareflow.generators.recording import repeated
from rareflow.generators.together import Together
from rareflow.generators.training import Networks, Training, seeded
from rareflow.generators.training_config import TrainingConfig
from rareflow.workflows.settings import limit_threads

CONFIG = TrainingConfig(hidden_dim=256)
# By device: generators by batch size, precisions and ways to do a turn.
MODELS = {"cpu": (1, 3, 10), "cuda": (1, 10, 30)}
BATCHES = {"cpu": (128, 500), "cuda": (500, 4_096, 65_536)}
PRECISIONS = {"cpu": ("float32",), "cuda": ("float32", "bfloat16")}
WAYS = {"cpu": ("eager",), "cuda": ("eager", "compiled", "recorded", "compiled and recorded")}
REPEATS, SECONDS = 5, {"cpu": 2.0, "cuda": 0.2}
LARGEST = 700_000  # rows that all generators' batches have together

Turns = Callable[[], object]


def trainings(data: Encoded, config: TrainingConfig, count: int, device: torch.device) -> list[Training]:
    x, classes, layout = data
    found = []
    for seed in range(count):
        networks = Networks(config, layout, int(classes.max()) + 1, seeded(seed, torch.device("cpu")))
        source = seeded(seed + count, device)
        found.append(
            Training(x.to(device), classes.to(device), layout, config, networks.to(device), source=source)
        )
    return found


def one_by_one(parts: list[Training], way: str) -> Turns:
    for part in parts if way.startswith("compiled") else ():
        for name in ("critic_batches", "critic_gradients", "generator_loss"):
            setattr(part.program, name, torch.compile(getattr(part.program, name)))
    turns = [repeated(part.turn, [part.source]) if way.endswith("recorded") else part.turn for part in parts]

    def turn() -> None:
        for own in turns:
            told = own()
            torch.stack(list(told.values())).tolist()

    return turn


def together(parts: list[Training], way: str) -> Turns:
    program = Together(parts)
    sources = [part.source for part in parts]
    own = repeated(program.turn, sources) if way == "recorded" else program.turn

    def turn() -> None:
        torch.stack(list(own().values())).tolist()

    return turn


def loops(
    data: Encoded, config: TrainingConfig, count: int, device: torch.device
) -> dict[tuple[str, str], Turns]:
    """Give what is compared, by name and way: compiled is one generator alone, which takes long enough."""
    ways = WAYS[device.type]
    found = {("one by one", way): one_by_one for way in ways if count == 1 or not way.startswith("compiled")}
    found |= {("together", way): together for way in ways if not way.startswith("compiled")}
    return {how: make(trainings(data, config, count, device), how[1]) for how, make in found.items()}


def rates(turns: dict[tuple[str, str], Turns], count: int, seconds: float) -> dict[tuple[str, str], float]:
    """Give the turns a second of each way, counting those of every generator."""
    found: dict[tuple[str, str], list[float]] = {how: [] for how in turns}
    for turn in turns.values():
        for _ in range(4):  # the recording is the third
            turn()
    for _ in range(REPEATS):
        for how, turn in turns.items():
            found[how].append(count * turns_per_second(turn, seconds))
    return {how: statistics.median(values) for how, values in found.items()}


def measure(data: Encoded, config: TrainingConfig, device: torch.device) -> Iterator[dict[str, object]]:
    rows, hidden = config.batch_size, config.hidden_dim
    most = gemm(rows, hidden, getattr(torch, config.precision), device) / 1e3
    width = data[2].width + int(data[1].max()) + 1
    tflop = config.n_critic * critic_gflop(rows, width, hidden) / 1e3
    for count in MODELS[device.type]:
        if count * rows > LARGEST:
            continue
        found = rates(loops(data, config, count, device), count, SECONDS[device.type])
        for (how, way), rate in found.items():
            yield {
                "batch_size": rows,
                "precision": config.precision,
                "generators": count,
                "how": how,
                "way": way,
                "turns_per_second": round(rate, 1),
                "over_eager_one_by_one": round(rate / found["one by one", "eager"], 2),
                "critic_TFLOP_per_s": round(rate * tflop, 3),
                "GEMM_TFLOP_per_s": round(most, 3),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=BATCHES)
    device = torch.device(parser.parse_args().device)
    limit_threads(1)
    data, found = encoded(wide), []
    for batch_size, precision in product(BATCHES[device.type], PRECISIONS[device.type]):
        for row in measure(data, replace(CONFIG, batch_size=batch_size, precision=precision), device):
            print(row, flush=True)
            found.append(row)
    described = f"{torch.cuda.get_device_name()}; {machine()}" if device.type == "cuda" else machine()
    name = "together.csv" if device.type == "cpu" else f"together-{device.type}.csv"
    pd.DataFrame(found).assign(machine=described).to_csv(FOLDER / name, index=False)


if __name__ == "__main__":
    main()
