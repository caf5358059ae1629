"""The settings that several commands share, and what comes of them: the table's parts, the threads."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from threadpoolctl import threadpool_limits

from rareflow.data.names import joined_names, shell_names, shown_names
from rareflow.data.schema import MAX_CATEGORIES
from rareflow.data.splits import KINDS, split_table
from rareflow.errors import ConfigError, DataError
from rareflow.generators.inputs import DEVICES
from rareflow.workflows.matching import UNSEEN_CLASSES, match_test_part
from rareflow.workflows.progress import say
from rareflow.workflows.reading import DataSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rareflow.data.table import Table

__all__ = ["Settings", "about_test_file", "check_launcher", "limit_threads"]

_ONE_HOT = 200_000_000  # numbers that stand for one column: 0.8 GB in a detector's matrix, 1.6 GB in ADASYN's
_LAUNCHERS = ("local", "dask")
_CHOICES = {"split": KINDS, "device": DEVICES, "unseen_classes": UNSEEN_CLASSES}


@contextmanager
def about_test_file(test: str) -> Iterator[None]:
    """Begin a refusal of a test file's data with its path, as ``--test`` has it; empty: there is no file."""
    try:
        yield
    except DataError as err:
        if not test:
            raise
        message = str(err).replace("give --data", "give --test")
        raise DataError(message if message.startswith(f"{test}:") else f"{test}: {message}") from err


@dataclass(frozen=True)
class Settings:
    """What `train`, `tune`, `benchmark` and `evaluate` share.

    Parameters
    ----------
    source
        How the table is read.
    test
        A file that is the test part; empty: a part of the table, by `split`.
    unseen_classes
        What becomes of classes of that file which the table has no row of: ``error`` or ``drop``.
    split
        ``random``, ``grouped`` or ``blocked``.
    test_size
        Share of the rows that test, within (0, 1).
    seed
        Seed of splits, generators, detectors and sampler, >= 0.
    experiment
        The MLflow experiment.
    n_threads
        Threads of each process, >= 1.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If a value is out of its range or without effect, or the device is not there.
    """

    source: DataSettings
    test: str = ""
    unseen_classes: str = "error"
    split: str = "random"
    test_size: float = 0.3
    seed: int = 0
    experiment: str = "rareflow"
    n_threads: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        for option, choices in _CHOICES.items():
            value, name = getattr(self, option), option.replace("_", "-")
            if value not in choices:
                raise ConfigError(f"--{name} {value!r} is none of {', '.join(choices)}")
        if self.unseen_classes == "drop" and not self.test:
            raise ConfigError("--unseen-classes drop is for a --test FILE only; give one, or leave it out")
        if not self.experiment.strip():
            raise ConfigError(f"--experiment {self.experiment!r} is no name; give one, such as rareflow")
        if not 0 < self.test_size < 1:
            raise ConfigError(f"--test-size {self.test_size} must lie between 0 and 1, as 0.3 does")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "--device cuda: this torch sees no CUDA device; give --device cpu, or install one that does"
            )

    @cached_property
    def parts(self) -> tuple[Table, Table]:
        """The training and the test part."""
        table = self.source.table
        if self.test:
            return table, self._test_table()
        split = split_table(table, self.split, test_size=self.test_size, seed=self.seed)
        return table.take(split.train), table.take(split.test)

    def _test_table(self) -> Table:
        """Read the test file, bring it to the table's form, and say what is left out."""
        source = self.source
        with about_test_file(self.test):
            columns = list(source.table.frame.columns)
            given = replace(source, data=self.test, rows=None).stream(test_of=columns)
            matched = match_test_part(source.table, given, source.fate, unseen_classes=self.unseen_classes)
            for note in matched.notes:
                if note not in source.table.notes:
                    say(f"{self.test}: {note}")
            return matched.table()

    def check_trainable(self, *, for_generator: bool = True) -> None:
        """Refuse a table that nothing can be trained on; for commands that train, first of all.

        A generator learns `MAX_CATEGORIES` categories of a column. Detectors get a number for each of them in
        each row, which must not fill the memory: the more rows, the fewer categories. It goes by the whole
        table, so that it depends on no split.

        Parameters
        ----------
        for_generator
            Whether a generator is trained, or detectors alone.

        Raises
        ------
        DataError
            If columns have more categories than that or, for a generator, each holds one value alone.
        """
        table, most, whom = self.source.table, MAX_CATEGORIES, "a generator"
        if not for_generator:
            most, whom = max(most, _ONE_HOT // len(table)), f"detectors on {len(table):,} rows"
        counts = {column.name: len(column.categories) for column in table.schema.columns}
        refused = {name: count for name, count in counts.items() if count > most}
        if refused:
            shown = ", ".join(f"{name!r} ({count:,} categories)" for name, count in refused.items())
            raise DataError(
                f"columns of more than {most:,} categories, too many for {whom}: {shown}; "
                f"leave them out with --drop {shell_names(refused)}"
            )
        features = {name: table.frame[name] for name in table.schema.names}
        if for_generator and all(values.nunique(dropna=False) == 1 for values in features.values()):
            shown = shown_names([f"{name!r} ({values.iloc[0]!s})" for name, values in features.items()])
            raise DataError(
                f"every column holds one value alone: {shown}; a generator needs one that varies: "
                "give --data a table with it, or leave out less with --drop"
            )

    @property
    def train(self) -> Table:
        """The training part, for which a file that is the test part is not read."""
        return self.source.table if self.test else self.parts[0]

    @property
    def protocol(self) -> str:
        """How scores come about, in one line: two scores compare only where this is equal."""
        outer = f"test file {self.test}" if self.test else f"{self.split} split, test size {self.test_size:g}"
        cut = ", its classes without a training row left out" if self.unseen_classes == "drop" else ""
        return f"{outer}{cut}, seed {self.seed}"

    @property
    def tags(self) -> dict[str, str]:
        """What a run is about, to find and compare runs by."""
        table = self.source.table
        return {
            "data": table.name,
            "data_digest": table.digest,
            "simulated": str(table.simulated).lower(),
            "protocol": self.protocol,
        }

    @property
    def params(self) -> dict[str, Any]:
        """The options as a run keeps them, under the names that they have in MLproject."""
        own = asdict(self)
        data = own.pop("source")
        data |= {option: joined_names(data[option]) for option in ("drop", "categorical")}
        return data | {"rows": data["rows"] or 0, "sample_rows": data["sample_rows"] or 0} | own


def check_launcher(launcher: str, scheduler: str) -> None:
    """Refuse a launcher that there is not, and a scheduler's address where none or one is needed."""
    if launcher not in _LAUNCHERS:
        raise ConfigError(f"--launcher {launcher!r} is none of {', '.join(_LAUNCHERS)}")
    if (launcher == "dask") != bool(scheduler):
        raise ConfigError(
            f"--launcher {launcher} with --scheduler {scheduler!r}: --launcher dask needs the address of a "
            "Dask scheduler, such as tcp://host:8786, and no other launcher has one"
        )


def limit_threads(n_threads: int, *, jobs: int = 1) -> None:
    """Hold this process, and those it starts, to so many threads: torch, BLAS and OpenMP alike.

    It is told if `jobs` such processes have more threads than this machine has cores: those of one process
    wait for each other, busily, and what takes seconds takes minutes.
    """
    cores = os.cpu_count() or 1
    if n_threads > 1 and cores < jobs * n_threads:
        say(
            f"--jobs {jobs} with --n-threads {n_threads} is more threads than the {cores} cores here, and "
            "far slower than fewer; jobs of one thread use cores best"
        )
    os.environ["OMP_NUM_THREADS"] = str(n_threads)
    torch.set_num_threads(n_threads)
    threadpool_limits(n_threads)
