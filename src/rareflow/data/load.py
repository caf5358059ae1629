"""Load a checked table: from a file and what its options say, or from the built-in simulator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from rareflow.data import checks
from rareflow.data.readers import ENDINGS, read
from rareflow.data.recipes import RECIPES, Recipe, find_recipe
from rareflow.data.schema import Schema
from rareflow.data.table import Table
from rareflow.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["SIMULATED", "load_table"]

SIMULATED = "simulated-gas-pipeline"


def load_table(
    data: str,
    *,
    label: str | None = None,
    drop: Sequence[str] = (),
    recipe: str | None = None,
    categorical: Sequence[str] = (),
    infinities: str | None = None,
    rare_classes: str = "error",
    rows: int | None = None,
    seed: int = 0,
) -> Table:
    """Load a table without infinities, undeclared text, unlabelled rows or classes of one row.

    An empty text leaves an option unset.

    Parameters
    ----------
    data
        ``simulated-gas-pipeline``, or a file, a folder or a glob as `read` takes them.
    label
        The label column; the recipe's by default.
    drop
        Columns to leave out.
    recipe
        A name in ``RECIPES``; the simulated pipeline has that of the real one.
    categorical
        Columns whose values, text or number, are categories.
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
    _check_choice("--infinities", infinities or "missing", checks.INFINITIES)
    _check_choice("--rare-classes", rare_classes or "error", checks.RARE_CLASSES)
    drop, categorical = [name for name in drop if name], [name for name in categorical if name]
    known = _find_recipe(data, recipe)
    wanted = label or (known.label if known else "")
    frame, notes = _read(data, rows, seed, wanted)
    target = checks.find_label(frame, wanted, drop)
    checks.check_names(frame, drop, "--drop")
    checks.check_names(frame, categorical, "--categorical")
    if known:
        frame, done = known.clean(frame, target)
        notes += done
    if drop:
        frame = frame.drop(columns=drop, errors="ignore")
        notes += (f"Columns were left out as asked: {', '.join(drop)}.",)
    checks.check_features(frame, target)
    frame = checks.declare_categories(frame, categorical, target)
    frame, done = checks.settle_infinities(frame, target, infinities or (known.infinities if known else ""))
    notes += done
    checks.check_labels(frame, target)
    frame, done = checks.settle_rare_classes(frame, target, rare_classes or "error")
    notes += done
    checks.check_classes(frame, target)
    features = frame.drop(columns=target)
    return Table(
        frame=frame,
        schema=Schema.infer(features, clocks=_clocks(features, known)),
        label=target,
        name=known.name if known else _slug(data),
        notes=notes,
        simulated=data == SIMULATED,
    )


def _check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{option} {value!r} is unknown; choose {option} {'|'.join(choices)}")


def _find_recipe(data: str, name: str | None) -> Recipe | None:
    if name:
        return find_recipe(name)
    return RECIPES["gas-pipeline"] if data == SIMULATED else None


def _read(data: str, rows: int | None, seed: int, label: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a source, or simulate the built-in one."""
    if data != SIMULATED:
        if rows is not None:
            raise ConfigError(f"--rows {rows} is for --data {SIMULATED} only; leave it out")
        return read(data, label=label)
    # The simulator is imported here because few tables are simulated.
    from rareflow.data.simulator import simulate_gas_pipeline  # noqa: PLC0415

    if rows is None:
        return simulate_gas_pipeline(seed=seed), ()
    return simulate_gas_pipeline(rows, seed=seed), ()


def _clocks(features: pd.DataFrame, recipe: Recipe | None) -> tuple[str, ...]:
    return tuple(name for name in recipe.clocks if name in features.columns) if recipe else ()


def _slug(source: str) -> str:
    """Make a name fit for a registered model of a file's, a folder's or a glob's name."""
    name = Path(source).expanduser().resolve().name.lower()
    stem = next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-") or "table"
