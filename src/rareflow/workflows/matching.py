"""Tables that are used together, held against each other before any work is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from rareflow.errors import DataError
from rareflow.evaluation.comparison import check_labels
from rareflow.evaluation.space import encode, row_ids
from rareflow.generators.portable import PortableGenerator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rareflow.data.stream import Stream
    from rareflow.data.table import Table

__all__ = ["check_test_part", "known_rows", "match_generator", "matching_dtypes"]


def check_test_part(train: Table, test: Table) -> None:
    """Refuse a test file whose columns are not the training table's, or that has a class of its own.

    Raises
    ------
    DataError
        If a column is lacking, is one too many or holds numbers in one table only, or a class has no
        training row.
    """
    _check_columns(
        test.frame, train.frame, "the test file", "the training table", "read both alike, or mend the file"
    )
    check_labels(train, test)


def match_generator(table: Table, generator: PortableGenerator) -> Table:
    """Give a table that takes in a generator's rows as they are; see `matching_dtypes`, errors included."""
    return replace(table, frame=table.frame.astype(matching_dtypes(table, generator)))


def matching_dtypes(table: Table | Stream, generator: PortableGenerator) -> dict[str, Any]:
    """Give the dtype of each column that holds a table's values and a generator's; it widens where it has to.

    Parameters
    ----------
    table
        The table to balance. Whole numbers become floats, and categories get more, in columns where those
        of the generator's training table are so; every value stays what it is.
    generator
        The generator that is to balance it.

    Raises
    ------
    DataError
        If a column is lacking, is one too many or holds numbers on one side only, or a class is unknown to
        the generator.
    """
    forged = generator.table(pd.DataFrame({"label": generator.classes[:1], "count": [0]}))
    _check_columns(
        table.head,
        forged,
        "the table",
        "the one that --model was trained on",
        "read it as that was read (--recipe, --label, --drop, --categorical)",
    )
    unknown = [label for label in table.class_counts if label not in generator.classes]
    if unknown:
        raise DataError(
            f"class {unknown[0]!r} is unknown to --model, whose classes are {', '.join(generator.classes)}; "
            "read the table as its training table was read, or train a generator on this one"
        )
    return {name: _widened(table.head[name], forged[name]).dtype for name in table.head.columns}


def known_rows(generator: PortableGenerator, train: Table, test: Table) -> int:
    """Count the test rows that a generator was trained on and that the training part lacks.

    There are none where the generator was trained on this training part. It holds 2,000 rows of a class at
    most: of larger classes it may know more than are found.

    Parameters
    ----------
    generator
        A generator whose columns the tables have.
    train, test
        The two parts.
    """
    # Of today's code, whatever version of it the generator brought along.
    real = PortableGenerator(generator.spec, generator.tensors).real_rows()
    own, asked, known = row_ids(*encode(train.frame, test.frame, real))
    return int((np.isin(asked, known) & ~np.isin(asked, own)).sum())


def _check_columns(given: pd.DataFrame, known: pd.DataFrame, who: str, other: str, remedy: str) -> None:
    """Refuse columns that the known frame has not, or has otherwise."""
    _refuse(known.columns.difference(given.columns), f"{who} lacks", f"which {other} has; {remedy}")
    _refuse(given.columns.difference(known.columns), f"{who} has", f"which {other} lacks; {remedy}")
    for name in given.columns:
        one, two = given[name], known[name]
        if _is_number(one) != _is_number(two):
            raise DataError(
                f"column {name!r} holds {one.dtype} in {who} and {two.dtype} in {other}; {remedy}"
            )


def _refuse(names: Iterable[str], what: str, remedy: str) -> None:
    if shown := ", ".join(map(repr, names)):
        raise DataError(f"{what} the columns {shown}, {remedy}")


def _is_number(column: pd.Series) -> bool:
    return is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype)


def _widened(column: pd.Series, forged: pd.Series) -> pd.Series:
    """Give a column of no rows the dtype that holds its own values and the forged ones."""
    own, other = column.dtype, forged.dtype
    if isinstance(own, pd.CategoricalDtype):
        if not isinstance(other, pd.CategoricalDtype):
            return column.astype(other)
        return column.cat.set_categories(other.categories.union(own.categories, sort=False))
    if isinstance(other, pd.CategoricalDtype):
        return column
    return column.astype(pd.concat([column.iloc[:0], forged]).dtype)
