"""A benchmark's folder: what it is about, its results as plain CSV files, and whose turn it is to write.

A cell's lines go to ``results.csv`` last, so a cell whose lines are all there is whole; what a killed process
left of another one is dropped when the folder is opened again. A folder without a whole cell is as good as
new: it takes the facts of whoever opens it.
"""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rareflow.errors import ConfigError, StoreError
from rareflow.evaluation.augmenters.registry import known_augmenters
from rareflow.workflows.benchmarking.lines import Lines
from rareflow.workflows.benchmarking.plan import ALL, Cell
from rareflow.workflows.files import write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    import pandas as pd

    from rareflow.workflows.benchmarking.lines import Key, Place

__all__ = ["Results", "read_facts", "read_frames"]

_FILES = ("fidelity", "classes", "results")  # in the order in which a cell is written
_FACTS, _TURN = "benchmark.json", ".run"
_DRAWN = "--sample-rows and --seed"  # a seed draws a sample, and the rows of a simulated table
_READ = "--label, --drop, --recipe, --categorical, --infinities, --rare-classes"
# The options that decide a fact whose name is not its own; where none does, only another folder helps.
_OPTIONS = {
    "table": "--data",
    "digest": f"--data, {_READ}, --rows, {_DRAWN}",
    "simulated": "--data",
    "class_counts": f"--data, {_READ}, --rows, {_DRAWN}",
    "test_digest": f"--test, --unseen-classes, {_READ}, {_DRAWN}",
    "test_class_counts": f"--test, --unseen-classes, {_READ}, {_DRAWN}",
    "format": "",
    "inner_rows": "",
}
_TOLD = "test_notes"  # said in the report, and never a reason to refuse: the digests are of what was left


class Results:
    """The folder of one benchmark; one process at a time may have it open.

    Parameters
    ----------
    folder
        Where the files are; made when the results are opened.
    facts
        What the results have in common, see `rareflow.workflows.benchmarking.plan.facts_of`.

    Raises
    ------
    ConfigError
        If the folder holds results with other facts, or lacks a file of them.
    """

    def __init__(self, folder: str | Path, facts: Mapping[str, Any]) -> None:
        self.folder, self.facts = Path(folder), dict(facts)
        self._read()

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._turn = (self.folder / _TURN).open("a+", encoding="utf-8")
        except OSError as err:
            raise StoreError(
                f"--out {str(self.folder)!r} cannot be written ({err.strerror}); give a folder you may write"
            ) from err
        try:
            # The system takes the lock back from a process that dies, however it dies.
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            self._turn.close()
            raise StoreError(
                f"another process works in --out {str(self.folder)!r}; wait for it, or choose another folder"
            ) from err
        self._read()  # another process may have had its turn since
        for file in self._files.values():
            file.mend(self._whole)
        if self._held != self.facts:
            self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn.close()

    def _read(self) -> None:
        """Read what is there, and refuse what cannot be continued."""
        self._files = _open(self.folder)
        self._held: dict[str, Any] | None = None
        self._whole: set[Key] = set()
        if (self.folder / _FACTS).exists():
            self._held = read_facts(self.folder)
            self._whole = _whole(self.folder, self._files, self._held)
            if self._whole:
                _refuse_other(self.folder, self._held, self.facts)
                self.facts = {_TOLD: self._held[_TOLD], **self.facts} if _TOLD in self._held else self.facts
        elif len(self._files["results"]):
            raise ConfigError(
                f"--out {str(self.folder)!r} holds results but no {_FACTS} to say of what; "
                "choose another folder"
            )

    def _begin(self) -> None:
        """Say what the results are about; of a new folder, no run that others were logged to is continued."""
        if self.facts["fidelity"]:
            (self.folder / "fidelity.csv").touch()  # nobody may forge a row, but then it is not missing
        write_text(json.dumps(self.facts, indent=2, ensure_ascii=False) + "\n", self.folder / _FACTS)
        if not self._whole:
            self.run_id = ""

    @property
    def run_id(self) -> str:
        """The MLflow run that the results were logged to last; empty if there was none."""
        self._turn.seek(0)
        return self._turn.read().strip()

    @run_id.setter
    def run_id(self, value: str) -> None:
        self._turn.truncate(0)
        self._turn.write(value + "\n")
        self._turn.flush()

    @property
    def seconds(self) -> dict[Cell, float]:
        """The whole cells that are there, and how long each took."""
        if not self._whole:
            return {}
        frame = self._files["results"].frame()[["shots", "seed", "augmenter", "seconds"]]
        return {
            Cell(None if shots == ALL else int(shots), int(seed), str(augmenter)): float(seconds)
            for shots, seed, augmenter, seconds in frame.itertuples(index=False)
            if (shots, str(seed), augmenter) in self._whole
        }

    def add(self, frames: Mapping[str, pd.DataFrame]) -> None:
        """Keep a cell's frames for good, by file."""
        for name in _FILES:
            if name in frames:
                self._files[name].append(frames[name])
        self._whole.update(self._files["results"].keys[-1:])

    def sort(self) -> None:
        """Write the files anew, by shots, seed and augmenter: whatever order the cells came in."""
        place = _places()
        for file in self._files.values():
            file.sort(place)
            file.mend(set(file.keys))


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what a folder's results have in common.

    Raises
    ------
    ConfigError
        If it does not say.
    """
    path = folder / _FACTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as err:
        raise ConfigError(
            f"--out {str(folder)!r} holds no {_FACTS}, so no results; run the benchmark there first"
        ) from err
    except ValueError as err:
        raise ConfigError(f"{str(path)!r} is no JSON ({err}); choose another --out") from err
    if not isinstance(facts, dict) or "fidelity" not in facts:
        raise ConfigError(f"{str(path)!r} says nothing of a benchmark; choose another --out")
    return facts


def read_frames(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the frames of the whole cells, by file; a file without lines is left out.

    Raises
    ------
    ConfigError
        If there is no whole cell, or a file of them is missing.
    """
    files = _open(folder)
    whole = _whole(folder, files, read_facts(folder))
    if not whole:
        raise ConfigError(f"--out {str(folder)!r} holds no whole cell yet; leave out --report-only")
    frames, place = {}, _places()
    for name, file in files.items():
        file.sort(place)
        kept = [key in whole for key in file.keys]
        if any(kept):
            frames[name] = file.frame()[kept].reset_index(drop=True)
    return frames


def _open(folder: Path) -> dict[str, Lines]:
    return {name: Lines(folder / f"{name}.csv") for name in _FILES}


def _places() -> Callable[[Key], Place]:
    """Order cells by shots, seed and augmenter: all rows last, augmenters as in the registry."""
    ranks = {name: i for i, name in enumerate(known_augmenters())}

    def place(key: Key) -> Place:
        shots, seed, augmenter = key
        rank = ranks.get(augmenter, len(ranks))  # of a package that is not installed any more
        return inf if shots == ALL else int(shots), int(seed), rank, augmenter

    return place


def _whole(folder: Path, files: Mapping[str, Lines], facts: Mapping[str, Any]) -> set[Key]:
    """Give the cells of which every detector and every class is there; refuse results that lack a file."""
    for name in ("classes", *(["fidelity"] if facts["fidelity"] else [])):
        if len(files["results"]) and not files[name].path.exists():
            raise ConfigError(
                f"--out {str(folder)!r} holds results.csv but no {name}.csv, which belongs to it; "
                "bring it back, or choose another folder"
            )
    detectors, classes = Counter(files["results"].keys), Counter(files["classes"].keys)
    wanted = (len(facts["detectors"]), len(facts["class_counts"]))
    return {key for key in detectors if (detectors[key], classes[key]) == wanted}


def _refuse_other(folder: Path, held: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Refuse results of another table or protocol, and name the first difference."""
    for key, value in facts.items():
        if key != _TOLD and held.get(key) != value:
            options = _OPTIONS.get(key, f"--{key.replace('_', '-')}")
            remedy = f", or the {options} that it was made with" if options else ""
            raise ConfigError(
                f"--out {str(folder)!r} holds results of another {key.replace('_', ' ')} "
                f"({held.get(key)!r}, here {value!r}); choose another folder{remedy}"
            )
