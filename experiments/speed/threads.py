"""Whether cores are better spent on processes or on threads: a trial's work by jobs and threads.

    RAREFLOW_DATA=FOLDER python experiments/speed/threads.py [--rounds 5]

As many processes as ``jobs`` do the same work at the same time, each held to ``n_threads``: one inner split
of the default candidate on the gas pipeline's 10 % sample (fit, draw, score), and its largest parts by
themselves. ``per_minute`` is what all processes do together; ``cpu_s`` is what one call computes on all its
threads: where it grows with the threads, they wait for each other. Writes ``threads.csv``.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pandas as pd
from machine import FOLDER, machine

from rareflow.data.load import load_table
from rareflow.data.splits import inner_splits
from rareflow.evaluation.balance import forge, new_rows
from rareflow.evaluation.classifiers import fit_predict
from rareflow.evaluation.detectors import FeatureEncoder
from rareflow.generators.estimators import VAEWGANGP
from rareflow.tuning.objective import Objective
from rareflow.tuning.space import default_candidate
from rareflow.workflows.settings import limit_threads


def works(n_threads: int) -> dict[str, Callable[[], object]]:
    """Give the whole work on a split, and its parts on the rows that it makes."""
    data = Path(os.environ["RAREFLOW_DATA"]) / "gas_pipeline_10pct.parquet"
    table = load_table(str(data), recipe="gas-pipeline")
    splits = inner_splits(table, "random", repeats=1, seed=0)
    objective = Objective(table, splits, seed=0, n_threads=n_threads, device="cpu")
    candidate = default_candidate(table.class_counts)
    train, test = table.take(splits[0].train), table.take(splits[0].test)
    generator = VAEWGANGP(**candidate.generator, device="cpu", random_state=0).fit(train.X, train.y)
    counts = new_rows(train.class_counts, candidate.class_rows)
    X, y = forge(train.X, train.labels, counts, generator=generator.generator_, seed=0)
    encoder, codes = FeatureEncoder.fit(X), np.unique(y.astype(str), return_inverse=True)[1]
    rows = encoder.transform(X), codes, encoder.transform(test.X)
    return {
        "a split of a trial": lambda: objective.repeat(candidate, 0),
        "torch: fit": lambda: generator.fit(train.X, train.y),
        "XGBoost": lambda: fit_predict("xgb", *rows, seed=0, n_threads=n_threads),
        "scikit-learn: forest": lambda: fit_predict("rf", *rows, seed=0, n_threads=n_threads),
    }


def serve(n_threads: int, rounds: int, together: Barrier, connection: Connection) -> None:
    limit_threads(n_threads)
    for part, work in works(n_threads).items():
        work()
        together.wait()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(rounds):
            work()
        connection.send((part, time.perf_counter() - wall, time.process_time() - cpu))
        together.wait()


def rates(jobs: int, n_threads: int, rounds: int) -> list[dict[str, object]]:
    context = multiprocessing.get_context("spawn")
    os.environ["OMP_NUM_THREADS"] = str(n_threads)  # before its libraries are loaded, as `rareflow tune` does
    together, (ours, theirs) = context.Barrier(jobs), context.Pipe(duplex=False)
    processes = [
        context.Process(target=serve, args=(n_threads, rounds, together, theirs)) for _ in range(jobs)
    ]
    for process in processes:
        process.start()
    theirs.close()
    found = pd.DataFrame([ours.recv() for _ in range(4 * jobs)], columns=["part", "wall", "cpu"])
    for process in processes:
        process.join()
    rows = [
        {
            "part": part,
            "jobs": jobs,
            "n_threads": n_threads,
            "per_minute": round(60 * rounds * float((1 / of["wall"]).sum()), 1),
            "wall_s": round(float(of["wall"].mean()) / rounds, 3),
            "cpu_s": round(float(of["cpu"].mean()) / rounds, 3),
        }
        for part, of in found.groupby("part", sort=False)
    ]
    print(pd.DataFrame(rows).to_string(index=False), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="calls that are timed together")
    rounds = parser.parse_args().rounds
    described = machine()
    # Two processes of two threads on two cores had not ended after six minutes: they wait for each other.
    ways = [(1, 1), (1, 2), (2, 1)]
    results = [row for jobs, threads in ways for row in rates(jobs, threads, rounds)]
    pd.DataFrame(results).sort_values("part", kind="stable").assign(machine=described).to_csv(
        FOLDER / "threads.csv", index=False
    )


if __name__ == "__main__":
    main()
