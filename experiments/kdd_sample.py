"""A sample of KDD'99: duplicates dropped, 20,000 normal rows and at most 10,000 of each attack.

    RAREFLOW_DATA=FOLDER python experiments/kdd_sample.py FILE.parquet

All 23 labels are kept, most of them whole but for duplicates, down to two rows.
"""

import os
import sys
from pathlib import Path

import pandas as pd

NORMAL, ATTACK = 20_000, 10_000


def main() -> None:
    table = pd.read_parquet(Path(os.environ["RAREFLOW_DATA"]) / "kddcup99_10percent.parquet")
    rows = table.drop(columns="category").drop_duplicates().sample(frac=1, random_state=0)
    most = rows["label"].eq("normal").map({True: NORMAL, False: ATTACK})
    rows = rows[rows.groupby("label").cumcount() < most].sort_index()
    rows.to_parquet(sys.argv[1], index=False)
    print(rows["label"].value_counts().to_string())


if __name__ == "__main__":
    main()
