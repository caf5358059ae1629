"""How fast a registered generator draws, decoded to the table's own columns, dtypes and units.

    python experiments/speed/sampling.py               # rows a second, one thread and all
    python experiments/speed/sampling.py --stream 50000000 --to FOLDER   # to Parquet, with flat memory

Generators are logged to MLflow and loaded with `mlflow.pyfunc.load_model`, as users load them. All classes
but the largest are drawn, as many rows of each; SMOTE draws as many from the same table, in the same run.
Writes ``sampling.csv`` (``stream.csv``).
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from imblearn.over_sampling import SMOTE
from machine import FOLDER, machine, median, mixed, wide

from rareflow import VAEWGANGP
from rareflow.tracking.registry import log_generator
from rareflow.workflows.settings import limit_threads

TABLES = {"mixed, 26 columns": mixed, "continuous, 78 columns": wide}
TRAINING_ROWS = 20_000
DRAWN = 1_000_000


def logged(name: str) -> tuple[mlflow.pyfunc.PyFuncModel, pd.DataFrame, pd.Series]:
    X, y = TABLES[name](TRAINING_ROWS)
    generator = VAEWGANGP(random_state=0).fit(X, y).generator_
    with mlflow.start_run():
        info = log_generator(generator, class_rows={})
    return mlflow.pyfunc.load_model(info.model_uri), X, y


def rates(name: str) -> list[dict[str, object]]:
    model, X, y = logged(name)
    counts = y.value_counts()[1:]
    each = DRAWN // len(counts)
    wanted = pd.DataFrame({"label": counts.index, "count": each})
    smote = SMOTE(sampling_strategy=(counts + each).to_dict(), random_state=0)
    batches = model.unwrap_python_model().generator.batches
    rows = []
    for threads in sorted({1, os.cpu_count() or 1}):
        limit_threads(threads)
        for way, work in {
            "predict": lambda: model.predict(wanted, params={"seed": 1}),
            "batches": lambda: sum(map(len, batches(wanted, seed=1))),
            "SMOTE": lambda: smote.fit_resample(X, y),
        }.items():
            rate = round(wanted["count"].sum() / median(work))
            rows.append({"table": name, "way": way, "threads": threads, "rows_per_second": rate})
            print(rows[-1], flush=True)
    return rows


def stream(count: int, folder: Path) -> list[dict[str, object]]:
    model, _, y = logged("mixed, 26 columns")
    label, found = y.value_counts().index[1], []
    for rows in (count // 50, count // 5, count):
        wanted = pd.DataFrame({"label": [label], "count": [rows]})
        file, start, writer = folder / "stream.parquet", time.perf_counter(), None
        for frame in model.unwrap_python_model().generator.batches(wanted, seed=1):
            batch = pa.Table.from_pandas(frame, preserve_index=False)
            writer = writer or pq.ParquetWriter(file, batch.schema)
            writer.write_table(batch)
        writer.close()
        rate = round(rows / (time.perf_counter() - start))
        peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        found.append(
            {
                "rows": pq.read_metadata(file).num_rows,
                "rows_per_second": rate,
                "peak_MB_so_far": peak,
                "file_MB": file.stat().st_size >> 20,
            }
        )
        print(found[-1], flush=True)
        file.unlink()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stream", type=int, default=0, help="rows to stream to Parquet")
    parser.add_argument("--to", type=Path, default=Path(), help="folder that has room for them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        mlflow.set_tracking_uri(f"sqlite:///{scratch}/mlflow.db")
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("speed", f"{scratch}/artifacts"))
        if given.stream:
            results = pd.DataFrame(stream(given.stream, given.to))
        else:
            results = pd.DataFrame([row for name in TABLES for row in rates(name)])
    results["machine"] = machine()
    results.to_csv(FOLDER / ("stream.csv" if given.stream else "sampling.csv"), index=False)


if __name__ == "__main__":
    main()
