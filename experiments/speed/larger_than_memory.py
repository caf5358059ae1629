"""What `prepare`, `train` and `augment` cost on tables larger than memory: seconds and peak memory by rows.

    python experiments/speed/larger_than_memory.py [--rows 1,5,20] [--to FOLDER]

Simulates Parquet sets of so many million rows (26 columns), two of whose classes have 300 and 40 rows however
many there are in all, and runs each command on each as a process of its own, at its defaults. Peak memory is
the process's own, as the operating system counts it. Writes ``larger_than_memory.csv``.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from machine import FOLDER, machine

from rareflow.data.simulator import simulate_gas_pipeline

CHUNK = 500_000
RARE = {"MSCI": 300, "MFCI": 40}


def chunks(rows: int) -> Iterator[pd.DataFrame]:
    """Simulate chunk after chunk, each with a seed of its own; what is rare is so over all of them."""
    left, seed = dict(RARE), 0
    while rows:
        frame = simulate_gas_pipeline(CHUNK, seed=seed)
        for label, count in left.items():
            own = frame.index[frame["result"] == label]
            frame = frame.drop(own[count:])
            left[label] -= min(count, len(own))
        frame = frame.head(rows)
        rows, seed = rows - len(frame), seed + 1
        yield frame


def simulate(rows: int, path: Path) -> None:
    writer = None
    for frame in chunks(rows):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def run(folder: Path, *words: str) -> tuple[dict[str, float], str]:
    """Run a command; give its seconds and peak memory, and what it printed."""
    start = time.perf_counter()
    with (folder / "printed").open("w+") as printed:
        child = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "rareflow", *words], cwd=folder, stdout=printed
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it again
        printed.seek(0)
        text = printed.read()
    if child.returncode:
        raise SystemExit(f"{' '.join(words)} failed")
    seconds = time.perf_counter() - start
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_MB": round(usage.ru_maxrss / 1024),
    }, text


def measure(millions: int, folder: Path) -> Iterator[dict[str, object]]:
    rows = millions * 1_000_000
    simulate(rows, folder / "table.parquet")
    data = ("--recipe", "gas-pipeline", "--data")
    prepared, _ = run(folder, "prepare", *data, "table.parquet", "--out", "prepared.parquet")
    trained, text = run(folder, "train", *data, "prepared.parquet")
    model = next(word for word in text.split() if word.startswith("models:/"))
    # Every class to a twentieth of the table's rows, so that much is forged however large it is.
    balance = ("--model", model, "--class-rows", str(rows // 20), "--out", "balanced.parquet")
    augmented, _ = run(folder, "augment", *data, "prepared.parquet", *balance)
    for command, found, out in (
        ("prepare", prepared, "prepared.parquet"),
        ("train", trained, ""),
        ("augment", augmented, "balanced.parquet"),
    ):
        written = pq.read_metadata(folder / out).num_rows if out else 0
        per_million = round(found["seconds"] / millions, 2)
        facts = {"command": command, "rows": rows, "rows_written": written}
        yield facts | found | {"seconds_per_million_rows": per_million}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", default="1,5,20", help="million rows of each set")
    parser.add_argument("--to", type=Path, default=None, help="folder that has room for them")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=given.to) as folder:
        for millions in map(int, given.rows.split(",")):
            for row in measure(millions, Path(folder)):
                rows.append(row)
                print(row, flush=True)
    results = pd.DataFrame(rows).sort_values(["command", "rows"], kind="stable")
    results.assign(machine=machine()).to_csv(FOLDER / "larger_than_memory.csv", index=False)


if __name__ == "__main__":
    main()
