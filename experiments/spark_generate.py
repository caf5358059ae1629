"""Forge rows on Spark with a registered generator: those that its `batches` gives, whatever the executors.

Executors need MLflow, numba and pandas, neither rareflow nor torch. The call, and what
it measured, stand in docs/clusters.md.
"""

# ruff: noqa: PLC0415 - what an executor imports, it imports itself

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

import mlflow
import pandas as pd
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from collections.abc import Iterator


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Give categories as their values; Spark has no such type."""
    return frame.astype(
        {
            name: dtype.categories.dtype
            for name, dtype in frame.dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
    )


def main(model: str, counts: str, out: str, seed: int) -> None:
    """Write the rows as a folder of Parquet files, in the order that was asked for."""

    def forge(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from threadpoolctl import threadpool_limits

        generator = mlflow.pyfunc.load_model(model).unwrap_python_model().generator
        with threadpool_limits(1, "blas"):  # Spark runs a process for each core already
            for frame in frames:
                for part in frame["part"]:
                    yield plain(generator.draw_part(json.loads(part)))

    spark = SparkSession.builder.appName("rareflow").getOrCreate()
    generator = mlflow.pyfunc.load_model(model).unwrap_python_model().generator
    wanted = pd.read_csv(counts, dtype={"label": str})
    # Each part has a random source of its own: whoever draws it, its rows are the same.
    parts = [(json.dumps(part),) for part in generator.parts(wanted, seed=seed)]
    like = plain(generator.table(pd.DataFrame({"label": generator.classes, "count": 10}), seed=seed))
    schema = spark.createDataFrame(like).schema

    start = time.perf_counter()
    spark.createDataFrame(parts, "part string").mapInPandas(forge, schema).write.parquet(out)
    seconds = time.perf_counter() - start
    rows = wanted["count"].sum()
    print(f"{rows:,} rows in {len(parts)} parts, {seconds:.1f} s, {rows / seconds:,.0f} rows/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="exactly one version: models:/NAME/VERSION")
    parser.add_argument("counts", help="CSV of label,count")
    parser.add_argument("out", help="folder that Spark makes")
    parser.add_argument("--seed", type=int, default=7)
    main(**vars(parser.parse_args()))
