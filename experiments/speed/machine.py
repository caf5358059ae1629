"""What every speed experiment shares: the machine's description, tables to measure on, a fair median."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from rareflow.data.simulator import simulate_gas_pipeline

FOLDER = Path(__file__).parent


def machine() -> str:
    """Processor, cores and library versions in one line."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
    name = names[0] if names else platform.processor()
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    versions = f"torch {torch.__version__}; numpy {np.__version__}"
    return f"{name}; {os.cpu_count()} cores; OMP_NUM_THREADS {threads}; {versions}"


def median(work: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the median call, after one that warms up."""
    work()
    return statistics.median(_seconds(work) for _ in range(repeats))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def mixed(rows: int, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Simulate the gas pipeline: 26 columns, most of them flags and codes."""
    frame = simulate_gas_pipeline(rows, seed=seed)
    return frame.drop(columns="result"), frame["result"]


def wide(rows: int, columns: int = 78, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Make up flow statistics: heavy-tailed, correlated, a third often 0, a third whole; 8 classes."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(8, rows, p=np.array([0.6, 0.2, 0.1, 0.05, 0.03, 0.01, 0.007, 0.003]))
    factors = rng.normal(size=(rows, 6)) + rng.normal(size=(8, 6))[classes]
    x = np.exp(factors @ rng.normal(size=(6, columns)) / 2 + rng.normal(size=(rows, columns)) / 2)
    x[:, 0::3] *= rng.binomial(1, 0.6, (rows, len(range(0, columns, 3))))
    x[:, 1::3] = np.round(100 * x[:, 1::3])
    frame = pd.DataFrame(x, columns=[f"c{j:02d}" for j in range(columns)])
    return frame, pd.Series(classes, name="label").map("class {}".format)
