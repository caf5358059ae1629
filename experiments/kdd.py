"""Two tables of KDD'99 (10 %), duplicates dropped.

    RAREFLOW_DATA=FOLDER python experiments/kdd.py sample kdd-sample.parquet
    RAREFLOW_DATA=FOLDER python experiments/kdd.py five kdd5.parquet

``sample``: all 23 labels, most of them whole, down to two rows; 20,000 normal rows and at most 10,000 of each
attack. ``five``: every row, with the usual five classes as ``category``.
"""

import os
import sys
from pathlib import Path

import pandas as pd

NORMAL, ATTACK = 20_000, 10_000


def sample(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.drop(columns="category").drop_duplicates().sample(frac=1, random_state=0)
    most = rows["label"].eq("normal").map({True: NORMAL, False: ATTACK})
    return rows[rows.groupby("label").cumcount() < most].sort_index()


def five(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="label").drop_duplicates()


def main() -> None:
    make = {"sample": sample, "five": five}[sys.argv[1]]
    rows = make(pd.read_parquet(Path(os.environ["RAREFLOW_DATA"]) / "kddcup99_10percent.parquet"))
    rows.to_parquet(sys.argv[2], index=False)
    print(rows.iloc[:, -1].value_counts().to_string())


if __name__ == "__main__":
    main()
