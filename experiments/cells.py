"""The cells of an experiment in a CSV, a row a detector, that goes on where it was stopped."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rareflow.evaluation.classifiers import DETECTORS
from rareflow.evaluation.metrics import Scores


class Cells:
    """What a file holds of some cells; of one that was cut off in the middle nothing is kept.

    Parameters
    ----------
    file
        The CSV. Its columns are those of the key, ``detector`` and ``macro_f1``.
    key
        Columns that tell one cell from another.
    """

    def __init__(self, file: Path, key: list[str]) -> None:
        self._file, self._columns = file, [*key, "detector", "macro_f1"]
        self._have: set[tuple[str, ...]] = set()
        if file.exists():
            text = file.read_text()
            ended = pd.read_csv(file, dtype=str, keep_default_na=False, nrows=text.count("\n") - 1)
            whole = ended[ended.groupby(key)["detector"].transform("size") == len(DETECTORS)]
            self._have = set(whole[key].itertuples(index=False, name=None))
            if len(whole) < len(text.splitlines()) - 1:
                new = file.with_suffix(".new")
                whole.to_csv(new, index=False)
                new.replace(file)

    def lacks(self, *cell: object) -> bool:
        """Tell whether a cell is still to be computed."""
        return tuple(map(str, cell)) not in self._have

    def add(self, cell: tuple[object, ...], found: Mapping[str, Scores]) -> None:
        """Write what the detectors of a cell scored, and say so."""
        rows = [(*cell, detector, round(each.macro_f1, 5)) for detector, each in found.items()]
        frame = pd.DataFrame(rows, columns=self._columns)
        frame.to_csv(self._file, mode="a", header=not self._file.exists(), index=False)
        self._have.add(tuple(map(str, cell)))
        print(f"{self._file.stem}: {', '.join(map(str, cell))} done", flush=True)
