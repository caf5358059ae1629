"""Are our fidelity measures those of SDMetrics and prdc? Both on the same rows, side by side.

    python experiments/fidelity_libraries.py PYTHON    # an interpreter that has sdmetrics, prdc and pyarrow

They cannot stand beside rareflow in one environment (see `rareflow.evaluation.fidelity`), so another
interpreter computes theirs. 400 real and 400 forged rows of one class: 12 numbers, or 8 categories. Writes
``fidelity_libraries.csv``, a row a measure.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from by_table import FOLDER
from rareflow.evaluation.fidelity import fidelity_by_class
from rareflow.evaluation.space import encode, points

ROWS = 400
THEIRS = """
import itertools, json, sys
import numpy as np, pandas as pd
from prdc import compute_prdc
from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
from sdmetrics.single_column import KSComplement, TVComplement
folder, kind = sys.argv[1:]
real, forged = (pd.read_parquet(f"{folder}/{name}.parquet") for name in ("real", "forged"))
one = {"numbers": KSComplement, "categories": TVComplement}[kind]
found = {"marginal": np.mean([one.compute(real[c], forged[c]) for c in real])}
pairs = [list(pair) for pair in itertools.combinations(real.columns, 2)]
if kind == "numbers":
    similar = [CorrelationSimilarity.compute(real[p], forged[p], coefficient="Spearman") for p in pairs]
else:
    similar = [ContingencySimilarity.compute(real[p], forged[p]) for p in pairs]
found["pairwise"] = np.mean(similar)
found |= compute_prdc(np.load(f"{folder}/real.npy"), np.load(f"{folder}/forged.npy"), nearest_k=5)
print(json.dumps({name: float(value) for name, value in found.items()}))
"""


def rows(kind: str, seed: int, shift: float) -> pd.DataFrame:
    """Make up correlated rows; forged ones are shifted."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(shift, 1, (ROWS, 3)) @ np.random.default_rng(0).normal(size=(3, 12))
    frame = pd.DataFrame(numbers + rng.normal(size=numbers.shape), columns=[f"c{j:02d}" for j in range(12)])
    if kind == "numbers":
        return frame
    return pd.DataFrame(
        {name: (frame[name] / 2).round().astype(int).astype(str) for name in frame.columns[:8]}
    )


def compare(kind: str, python: str) -> pd.DataFrame:
    real, forged = rows(kind, 1, 0.0), rows(kind, 2, 0.4)
    labels = np.full(ROWS, "class", dtype=object)
    ours = fidelity_by_class(real, labels, forged, labels, seed=0).loc["class"]
    with TemporaryDirectory() as folder:
        encoded = encode(real, forged)
        for name, frame, at in zip(
            ("real", "forged"), (real, forged), points(encoded[0], *encoded), strict=True
        ):
            frame.to_parquet(Path(folder) / f"{name}.parquet")
            np.save(Path(folder) / f"{name}.npy", at)
        words = [python, "-W", "ignore", "-c", THEIRS, folder, kind]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout  # noqa: S603 - the user's
    theirs = pd.Series(json.loads(said.splitlines()[-1]))
    found = pd.DataFrame({"ours": ours[theirs.index], "theirs": theirs}).rename_axis("measure").reset_index()
    return found.assign(columns=kind)[["columns", "measure", "ours", "theirs"]]


def main() -> None:
    found = pd.concat([compare(kind, sys.argv[1]) for kind in ("numbers", "categories")])
    print(found.to_string(index=False))
    found.to_csv(FOLDER / "fidelity_libraries.csv", index=False, float_format="%.6f")


if __name__ == "__main__":
    main()
