"""What an augmenter is: something that learns from a training part and then tilts it towards balance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_integer_dtype

from rareflow.errors import DataError
from rareflow.evaluation.balance import AMOUNTS, balanced_counts

if TYPE_CHECKING:
    from rareflow.data.table import Table

__all__ = ["Augmenter", "RowAugmenter", "TrainingSet"]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What a detector is trained with.

    Parameters
    ----------
    X
        Features, shape ``(rows, columns)``, in the dtypes of the training part.
    y
        The class of each row as text, shape ``(rows,)``.
    weight
        How much each row counts, shape ``(rows,)``; ``None`` where all count the same.
    odds
        Factor on a detector's probability of a class before the largest one wins; 1 for a class not named.
    forged
        How many rows, the last ones of ``X``, are forged.
    """

    X: pd.DataFrame
    y: NDArray[np.object_]
    weight: NDArray[np.float64] | None = None
    odds: Mapping[str, float] = field(default_factory=dict)
    forged: int = 0


class Augmenter(ABC):
    """A way to make up for rare classes, at an amount between nothing and full balance.

    `fit` learns from one training part; `training_set` then gives what a detector is trained with, for as
    many amounts as are asked for. Equal seeds give equal results, whatever was asked for before. A subclass
    that makes rows inherits from `RowAugmenter`.

    Attributes
    ----------
    name
        How it is called in tables and on the command line.
    amounts
        What it may be given, each in 0..1. With several, the benchmark chooses on inner splits.
    device
        Where a network is to train, ``cpu``, ``cuda`` or ``auto``: the benchmark says it before `fit`.
    """

    name: ClassVar[str]
    amounts: ClassVar[tuple[float, ...]] = AMOUNTS
    device: str = "auto"

    @abstractmethod
    def fit(self, train: Table, *, seed: int) -> None:
        """Learn from a training part; nothing learned before remains."""

    @abstractmethod
    def training_set(self, amount: float) -> TrainingSet:
        """Give the training part, tilted towards balance by the amount; 0 leaves it as it is."""


class RowAugmenter(Augmenter):
    """An augmenter that adds rows: a subclass says how it learns them and how it forges them.

    A class of ``n`` rows gets as many as make it ``n * (n_max / n) ** amount``, rounded, unless the subclass
    counts in another way.

    Attributes
    ----------
    X, y, seed
        Features, classes as text and seed that `fit` was given: at hand in `learn` and in `forge`.
    """

    X: pd.DataFrame
    y: NDArray[np.object_]
    seed: int

    def learn(self, X: pd.DataFrame, y: NDArray[np.object_], *, seed: int) -> None:
        """Learn from features ``(rows, columns)`` and classes ``(rows,)``; by default nothing."""

    @abstractmethod
    def forge(self, counts: dict[str, int]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
        """Forge so many rows of each class: the new rows alone, columns by name, and the class of each.

        Equal counts must give equal rows, however often it is called. Dtypes need not be right: integers may
        come as fractions, categories as text.
        """

    def counts(self, class_counts: Mapping[str, int], amount: float) -> dict[str, int]:
        """Give the rows to forge at an amount, by class, only classes that get any."""
        return balanced_counts(class_counts, amount)

    def fit(self, train: Table, *, seed: int) -> None:
        """Keep the training part and learn from it."""
        self.X, self.y, self.seed = train.X, train.labels, seed
        self._class_counts = train.class_counts
        self.learn(self.X, self.y, seed=seed)

    def training_set(self, amount: float) -> TrainingSet:
        """Give the training part with the forged rows below it, in its dtypes.

        Raises
        ------
        DataError
            If the subclass forged other rows than those asked for.
        """
        counts = self.counts(self._class_counts, amount)
        if not counts:
            return TrainingSet(self.X, self.y)
        rows, labels = self.forge(counts)
        self._check(rows, labels, counts)
        forged = pd.DataFrame({name: self._coerce(rows[name]) for name in self.X.columns})
        X = pd.concat([self.X, forged], ignore_index=True)
        return TrainingSet(X, np.concatenate([self.y, labels]).astype(object), forged=len(forged))

    def _check(self, rows: pd.DataFrame, labels: NDArray[Any], counts: dict[str, int]) -> None:
        """Refuse rows that are not what was asked for."""
        if lacking := [name for name in self.X.columns if name not in rows.columns]:
            raise DataError(f"augmenter {self.name!r} forged rows without the column {lacking[0]!r}")
        if len(rows) != len(labels):
            raise DataError(f"augmenter {self.name!r} forged {len(rows)} rows but {len(labels)} labels")
        made = Counter(labels)
        for label in counts | made:
            if made[label] != counts.get(label, 0):
                raise DataError(
                    f"augmenter {self.name!r} forged {made[label]} rows of class {label!r} where "
                    f"{counts.get(label, 0)} were asked for"
                )

    def _coerce(self, values: pd.Series) -> pd.Series:
        """Give a forged column in the dtype of the training part's, numbered from 0."""
        dtype = self.X[values.name].dtype
        try:
            return _typed(values.reset_index(drop=True), dtype)
        except (TypeError, ValueError) as err:
            raise DataError(
                f"augmenter {self.name!r} forged values of column {values.name!r} that are no {dtype}: {err}"
            ) from err


def _typed(values: pd.Series, dtype: Any) -> pd.Series:  # noqa: ANN401 - numpy's dtypes and pandas' share no class
    """Give values in a dtype, fractions rounded where it holds whole numbers or booleans."""
    if isinstance(dtype, pd.CategoricalDtype):
        if strangers := set(values.dropna()) - set(dtype.categories):
            raise ValueError(f"{min(strangers, key=str)!r} is no category")
        return values.astype(object).astype(dtype)
    if not (is_integer_dtype(dtype) or is_bool_dtype(dtype)):
        return values.astype(dtype)
    exact = is_integer_dtype(values.dtype) or is_bool_dtype(values.dtype)
    whole = values if exact else values.astype("Float64").round()
    typed = whole.astype(dtype)
    if (typed != whole).any():
        raise ValueError("one is out of its range")
    return typed
