"""Load a checked table: from a file and what its options say, or from the built-in simulator."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rareflow.data import checks
from rareflow.data.facts import Facts
from rareflow.data.names import check_names, find_label, shown_names
from rareflow.data.readers import ENDINGS, open_source
from rareflow.data.recipes import RECIPES, Recipe, find_recipe
from rareflow.data.source import Held, Source
from rareflow.data.stream import Stream
from rareflow.data.unsettled import check_columns
from rareflow.errors import ConfigError, DataError, check_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rareflow.data.table import Table

__all__ = ["SIMULATED", "load_table", "open_table"]

SIMULATED = "simulated-gas-pipeline"


def load_table(
    data: str | os.PathLike[str],
    *,
    sample_rows: int | None = None,
    seed: int = 0,
    **options: Any,  # noqa: ANN401 - `open_table` declares them
) -> Table:
    """Load a table without infinities, undeclared text, unlabelled rows or classes of one row.

    Parameters
    ----------
    data, options
        As in `open_table`.
    sample_rows
        If the table has more rows, a sample is drawn that keeps every row of the rare classes; see
        `rareflow.data.stream.Stream.table`. All of them by default.
    seed
        Seed of the simulator and of the sample.

    Returns
    -------
    Table
        Named after the recipe, else after the file; its notes say what was done.

    Raises
    ------
    ConfigError
        If an option's value is refused.
    DataError
        If the data cannot be used as they are; the message says which option helps.
    """
    if sample_rows is not None:
        check_whole("sample_rows", sample_rows, least=1)
    return open_table(data, seed=seed, **options).table(sample_rows, seed=seed)


def open_table(
    data: str | os.PathLike[str],
    *,
    label: str | None = None,
    drop: Sequence[str] | str | None = (),
    recipe: str | None = None,
    categorical: Sequence[str] | str | None = (),
    infinities: str | None = None,
    rare_classes: str = "error",
    rows: int | None = None,
    seed: int = 0,
    test_of: Sequence[str] = (),
) -> Stream:
    """Check all rows of a table, so that it can be had frame by frame; a Parquet file is never held whole.

    An empty text, or ``None``, leaves an option unset.

    Parameters
    ----------
    data
        ``simulated-gas-pipeline``, or a file, a folder or a glob, as `rareflow.data.readers.open_source`
        takes them.
    label
        The label column; the recipe's by default.
    drop
        Columns to leave out, or one.
    recipe
        A name in ``RECIPES``; the simulated pipeline has that of the real one.
    categorical
        Columns, or one, whose values, text or number, are categories; the recipe's by default.
    infinities
        ``missing`` turns infinite values into missing ones, ``drop`` drops their rows; the recipe's rule by
        default.
    rare_classes
        What becomes of classes with one row in the whole table: ``error``, ``drop``, ``merge`` into one
        class ``Rare``, or ``keep``, where no split has to hold them on both sides.
    rows
        Number of simulated rows; the simulator's own default if unset.
    seed
        Seed of the simulator.
    test_of
        The columns of the training table that this one only tests: others are left out, it may hold one
        class, and what becomes of classes of one row is for that table to say. Empty: none.

    Raises
    ------
    ConfigError
        If an option's value is refused.
    DataError
        If the data cannot be used as they are; the message says which option helps.
    """
    check_whole("seed", seed, least=0)
    _check_choice("--infinities", infinities or "missing", checks.INFINITIES)
    _check_choice("--rare-classes", rare_classes or "error", checks.RARE_CLASSES)
    data, drop, categorical = os.fspath(data), _names(drop), _names(categorical)
    known = _find_recipe(data, recipe)
    label = (label or "").strip() or (known.label if known else "")
    declared = tuple(categorical) or (known.categorical if known else ())
    source = _open(data, rows, seed, known, written=(label, *declared), drop=drop, only=test_of)
    surplus = tuple(name for name in source.head.columns if test_of and name not in (*test_of, *drop))
    target = find_label(source.head, label, (*drop, *surplus))
    if not test_of:  # a test file may lack what is to be left out, and which other columns is said later
        check_names(source.columns, drop, "--drop")
        check_names(source.columns, categorical, "--categorical")
    wanted = _Wanted(
        target,
        known,
        tuple(drop),
        surplus,
        declared,
        infinities or (known.infinities if known else ""),
    )
    steps, notes, counts = _plan(source, wanted)
    if gone := [repr(name) for name, count in counts.items() if not count]:
        if not test_of and rare_classes != "drop":
            raise DataError(
                f"--infinities drop leaves no row of the classes {shown_names(gone)}: each has an infinite "
                "value; take --infinities missing, or leave the column out with --drop"
            )
        notes.append(f"No row is left of the classes {shown_names(gone)}: each has an infinite value.")
        counts = {name: count for name, count in counts.items() if count}
    fate, settled = checks.settle_rare_classes(counts, "keep" if test_of else rare_classes or "error")
    counts = checks.settled_counts(counts, fate)
    if not test_of:
        checks.check_classes(counts, target)
    return Stream(
        source,
        (*steps, checks.settle_classes(fate, target)),
        label=target,
        class_counts=counts,
        fate=fate,
        clocks=tuple(name for name in wanted.features(source) if name in known.clocks) if known else (),
        name=known.name if known else _slug(data),
        notes=(*notes, *settled),
        simulated=data == SIMULATED,
    )


@dataclass(frozen=True)
class _Wanted:
    """The options, settled: each as `open_table` has it; `surplus` are columns that a test file has alone."""

    label: str
    recipe: Recipe | None
    drop: tuple[str, ...]
    surplus: tuple[str, ...]
    categorical: tuple[str, ...]
    infinities: str

    def features(self, source: Source) -> list[str]:
        """Give the columns that stay, without the label."""
        identifiers = self.recipe.identifiers if self.recipe else ()
        gone = (self.label, *self.drop, *self.surplus, *identifiers)
        return [name for name in source.head.columns if name not in gone]


def _plan(source: Source, wanted: _Wanted) -> tuple[list[checks.Step], list[str], dict[str, int]]:
    """Look at all rows, decide what is done to each, say so, and count the rows of each class after it.

    What becomes of classes of one row is yet to be settled.
    """
    notes, features = list(source.notes), wanted.features(source)
    facts = Facts(
        wanted.label,
        numbers=tuple(name for name in features if name not in wanted.categorical),
        declared=tuple(name for name in features if name in wanted.categorical),
        drops_infinite=wanted.infinities == "drop",
    ).gather(source.frames(notes), source.head.columns)
    steps, named = _columns(source, wanted, facts.labels[wanted.label])
    notes += named
    names = _apply(steps, facts.labels)[wanted.label].astype("str")
    head = _apply(steps, source.head)
    if features or not wanted.surplus:  # of a test file it is said which columns it lacks
        checks.check_features(features, wanted.label, facts.empty)
    check_columns(head, wanted.categorical, wanted.label, source)
    steps.append(checks.declare_categories(head, wanted.categorical, wanted.label, facts.values))
    infinite, done = checks.settle_infinities(facts, wanted.infinities)
    notes += done
    checks.check_whole_numbers(facts)
    checks.check_labels(facts, source.place)
    return [*steps, infinite], notes, _counts(names, facts.label_rows)


def _columns(source: Source, wanted: _Wanted, labels: pd.Series) -> tuple[list[checks.Step], list[str]]:
    """Decide on names and columns: by the recipe, then as asked."""
    steps: list[checks.Step] = []
    notes: list[str] = []
    if wanted.recipe:
        cleaning = wanted.recipe.cleaning(labels, source.columns)
        steps.append(cleaning)
        notes += cleaning.notes
    identifiers = wanted.recipe.identifiers if wanted.recipe else ()
    if surplus := [name for name in wanted.surplus if name not in identifiers]:
        steps.append(lambda frame: frame.drop(columns=surplus, errors="ignore"))
        notes.append(f"Columns that the training table lacks were left out: {', '.join(surplus)}.")
    if wanted.drop:
        steps.append(lambda frame: frame.drop(columns=list(wanted.drop), errors="ignore"))
        notes.append(f"Columns were left out as asked: {', '.join(wanted.drop)}.")
    return steps, notes


def _apply(steps: list[checks.Step], frame: pd.DataFrame) -> pd.DataFrame:
    for step in steps:
        frame = step(frame)
    return frame


def _counts(names: pd.Series, rows: NDArray[np.intp]) -> dict[str, int]:
    """Count the rows of each class, by its name."""
    counts = pd.Series(rows).groupby(names.to_numpy(dtype=object)).sum()
    return {str(name): int(count) for name, count in counts.items()}


def _names(given: Sequence[str] | str | None) -> list[str]:
    """Give names of columns, one of which may stand alone; an empty one is none."""
    return [name for name in ([given] if isinstance(given, str) else given or ()) if name]


def _check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{option} {value!r} is unknown; choose {option} {'|'.join(choices)}")


def _find_recipe(data: str, name: str | None) -> Recipe | None:
    if name:
        return find_recipe(name)
    return RECIPES["gas-pipeline"] if data == SIMULATED else None


def _open(
    data: str,
    rows: int | None,
    seed: int,
    recipe: Recipe | None,
    *,
    written: Sequence[str],
    drop: Sequence[str],
    only: Sequence[str],
) -> Source:
    """Open a source, or simulate the built-in one."""
    if data != SIMULATED:
        if rows is not None:
            raise ConfigError(f"--rows {rows} is for --data {SIMULATED} only; leave it out")
        names, identifiers = (recipe.columns, recipe.identifiers) if recipe else ((), ())
        return open_source(data, written=written, drop=(*drop, *identifiers), only=only, names=names)
    # The simulator is imported here because few tables are simulated.
    from rareflow.data.simulator import simulate_gas_pipeline  # noqa: PLC0415

    frame = simulate_gas_pipeline(seed=seed) if rows is None else simulate_gas_pipeline(rows, seed=seed)
    return Source([Held(Path(data), frame)])


def _slug(source: str) -> str:
    """Make a name fit for a registered model of a file's, a folder's or a glob's name."""
    name = Path(source).expanduser().resolve().name.lower()
    stem = next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-") or "table"
