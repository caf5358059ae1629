"""XGBoost's fit and prediction, at its defaults, on the CPU and on a GPU by rows and columns.

    python experiments/speed/xgboost_device.py      # where there is a GPU: xgboost-device.csv

8 classes, or as many as the gas pipeline has; as many test rows as a fifth of the training rows. Median of
three, after one that warms up; ``f1`` is the macro-F1, which tells whether both learn the same.
"""

import time
from statistics import median

import numpy as np
import pandas as pd
import torch
from machine import FOLDER, machine, mixed, wide
from sklearn.metrics import f1_score
from xgboost import XGBClassifier

from rareflow.evaluation.detectors import FeatureEncoder

ROWS = (2_000, 8_000, 30_000, 100_000)
WAYS = {"cpu, 1 thread": ("cpu", 1), "cpu, 16 threads": ("cpu", 16), "cuda": ("cuda", 1)}
LONGEST = {"cpu, 1 thread": 30_000}  # rows; more of them take minutes there
REPEATS = 3


def main() -> None:
    found = []
    for table in (mixed, wide):
        X, y = table(max(ROWS) + max(ROWS) // 5)
        numbers, codes = FeatureEncoder.fit(X).transform(X), np.unique(y, return_inverse=True)[1]
        for rows in ROWS:
            test = slice(rows, rows + rows // 5)
            for name, (device, n_jobs) in WAYS.items():
                if rows > LONGEST.get(name, rows):
                    continue
                seconds = []
                for _ in range(1 + REPEATS):
                    start = time.perf_counter()
                    model = XGBClassifier(tree_method="hist", random_state=0, n_jobs=n_jobs, device=device)
                    predicted = model.fit(numbers[:rows], codes[:rows]).predict(numbers[test])
                    seconds.append(time.perf_counter() - start)
                found.append(
                    {
                        "rows": rows,
                        "columns": X.shape[1],
                        "classes": len(np.unique(codes)),
                        "way": name,
                        "seconds": round(median(seconds[1:]), 3),
                        "f1": round(f1_score(codes[test], predicted, average="macro"), 4),
                    }
                )
                print(found[-1], flush=True)
    described = f"{torch.cuda.get_device_name()}; {machine()}"
    pd.DataFrame(found).assign(machine=described).to_csv(FOLDER / "xgboost-device.csv", index=False)


if __name__ == "__main__":
    main()
