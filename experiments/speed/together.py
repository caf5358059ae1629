"""Turns as they are, recorded as a CUDA graph, and several generators in one program.

    python experiments/speed/together.py                    # on the CPU: together.csv
    python experiments/speed/together.py --device cuda      # together-cuda.csv

78 columns, layers of 256, n_critic 5. ``turns_per_second`` counts a turn of each generator. On a CPU nothing
is recorded. Interleaved repeats, their median; one thread.
"""

import argparse
import statistics
from collections.abc import Callable
from itertools import product

import pandas as pd
import torch
from machine import FOLDER, machine, wide
from training import Encoded, encoded, turns_per_second

from rareflow.generators.recording import is_recorded, repeated
from rareflow.generators.together import Together
from rareflow.generators.training import Networks, Training, seeded
from rareflow.generators.training_config import TrainingConfig
from rareflow.workflows.settings import limit_threads

BATCHES = {"cpu": (128, 500), "cuda": (500, 4_096, 65_536)}
MODELS = (1, 3, 10)
REPEATS = 5


def trainings(data: Encoded, batch_size: int, count: int, device: torch.device) -> list[Training]:
    x, classes, layout = data
    config = TrainingConfig(batch_size=batch_size, hidden_dim=256, precision="float32")
    found = []
    for seed in range(count):
        networks = Networks(config, layout, int(classes.max()) + 1, seeded(seed, torch.device("cpu")))
        source = seeded(seed + count, device)
        found.append(
            Training(x.to(device), classes.to(device), layout, config, networks.to(device), source=source)
        )
    return found


def one_by_one(parts: list[Training], record: bool) -> Callable[[], None]:
    turns = [repeated(part.turn, [part.source]) if record else part.turn for part in parts]

    def turn() -> None:
        for own in turns:
            told = own()
            torch.stack(list(told.values())).tolist()

    return turn


def together(parts: list[Training], record: bool) -> Callable[[], None]:
    program = Together(parts)
    own = repeated(program.turn, [part.source for part in parts]) if record else program.turn

    def turn() -> None:
        torch.stack(list(own().values())).tolist()

    return turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=BATCHES)
    device = torch.device(parser.parse_args().device)
    limit_threads(1)
    data = encoded(wide)
    ways = {"one by one": one_by_one, "together": together}
    recorded = (False, True) if is_recorded(seeded(0, device)) else (False,)
    found = []
    for batch_size, count in product(BATCHES[device.type], MODELS):
        loops = {
            (name, record): make(trainings(data, batch_size, count, device), record)
            for (name, make), record in product(ways.items(), recorded)
        }
        rates: dict[tuple[str, bool], list[float]] = {how: [] for how in loops}
        for turn in loops.values():
            for _ in range(4):  # the recording is the third
                turn()
        for _ in range(REPEATS):
            for how, turn in loops.items():
                rates[how].append(count * turns_per_second(turn))
        alone = statistics.median(rates["one by one", False])
        for (name, record), values in rates.items():
            rate = statistics.median(values)
            found.append(
                {
                    "batch_size": batch_size,
                    "generators": count,
                    "how": name,
                    "recorded": record,
                    "turns_per_second": round(rate, 1),
                    "over_one_by_one": round(rate / alone, 2),
                }
            )
            print(found[-1], flush=True)
    name = "together.csv" if device.type == "cpu" else f"together-{device.type}.csv"
    what = torch.cuda.get_device_name() if device.type == "cuda" else ""
    pd.DataFrame(found).assign(machine=f"{machine()} {what}".strip()).to_csv(FOLDER / name, index=False)


if __name__ == "__main__":
    main()
