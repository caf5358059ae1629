"""The table and the models that the tests of the registry share."""

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from rareflow.generators import portable

NAME = "rareflow-plant"
CLASS_ROWS = {"NMRI": 700, "MSCI": 0}


def plant(rows=90):
    """A table with a column of every dtype that a table may have, the label in the middle."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "pressure": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(8, 2, rows)),
            "length": rng.integers(10, 99, rows),
            "result": np.array(["Normal", "NMRI", "MSCI"])[np.arange(rows) % 9 // 4],
            "pump": rng.random(rows) < 0.5,
            "mode": pd.Categorical(rng.choice(["auto", "manual", "off"], rows)),
            "gain": np.float32(rng.integers(1, 5, rows) / 4),
        }
    )


def fetched(logged, folder):
    """A copy of the logged model's files."""
    return Path(mlflow.artifacts.download_artifacts(logged[1].model_uri, dst_path=str(folder / "fetched")))


def changed_code(folder, *changes):
    """The ``__file__`` of a copy of the portable generator's code, changed: file, old text, new text."""
    copy = Path(shutil.copytree(Path(portable.__file__).parent, folder / "portable"))
    for name, old, new in changes:
        code = (copy / name).read_text(encoding="utf-8")
        assert code.count(old) == 1
        (copy / name).write_text(code.replace(old, new), encoding="utf-8")
    return str(copy / "__init__.py")
