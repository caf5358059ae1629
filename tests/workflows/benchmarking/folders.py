"""Results of a benchmark that nobody computed."""

import pandas as pd

from rareflow.workflows.benchmarking.plan import Cell

FACTS = {
    "format": 1,
    "table": "gas-pipeline",
    "digest": "0123456789abcdef",
    "simulated": False,
    "class_counts": {"Normal": 300, "DOS": 9},
    "test_digest": None,
    "test_class_counts": None,
    "split": "random",
    "test_size": 0.3,
    "detectors": ["xgb", "dt"],
    "repeats": 2,
    "inner_rows": 5000,
    "fidelity": True,
}
CELLS = [Cell(shots, seed, name) for shots in (10, None) for seed in (0, 1) for name in ("RAW", "SMOTE")]


def frames_of(cell, f1=0.5):
    """A cell's frames: macro-F1 by the seed, SMOTE 0.1 above RAW; forged rows measured for SMOTE alone."""
    f1 += 0.01 * cell.seed + 0.1 * (cell.augmenter == "SMOTE")
    shots = "all" if cell.shots is None else str(cell.shots)
    head = {"table": "gas-pipeline", "split": "random", "shots": shots, "seed": cell.seed}
    head |= {"augmenter": cell.augmenter}
    names = ("macro_precision", "macro_recall", "macro_f1", "mcc")
    frames = {
        "results": pd.DataFrame(
            [
                {**head, "detector": detector, "amount": 0.25, **dict.fromkeys(names, f1), "seconds": 1.5}
                for detector in FACTS["detectors"]
            ]
        ),
        "classes": pd.DataFrame(
            [
                {**head, "class": name, "f1": f1, "support": rows}
                for name, rows in (("DOS", 3), ("Normal", 90))
            ]
        ),
    }
    if cell.augmenter == "SMOTE":
        row = {**head, "class": "DOS", "forged_rows": 20, "c2st_auc": 0.75}
        frames["fidelity"] = pd.DataFrame([row])
    return frames
