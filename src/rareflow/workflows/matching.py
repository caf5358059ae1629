"""Tables that are used together, held against each other before any work is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from rareflow.data.alignment import Form, align
from rareflow.data.names import shown_names
from rareflow.data.stream import Stream
from rareflow.data.table import Table
from rareflow.errors import DataError
from rareflow.evaluation.comparison import check_test_classes, shown_counts, unseen_counts
from rareflow.evaluation.space import encode, row_ids
from rareflow.generators.portable import PortableGenerator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rareflow.data.checks import Fate

__all__ = ["UNSEEN_CLASSES", "known_rows", "match_generator", "match_test_part", "repeated_rows"]

T = TypeVar("T", Table, Stream)

UNSEEN_CLASSES = ("error", "drop")


def match_test_part(train: Table, test: T, fate: Fate | None = None, *, unseen_classes: str = "error") -> T:
    """Give a test part under the names that the training table has for the same categories and classes.

    Parameters
    ----------
    train
        The training table.
    test
        The test part, held or not.
    fate
        What became of the training table's classes of one row: the same becomes of them in the test part.
    unseen_classes
        What becomes of classes that have no training row, one of ``UNSEEN_CLASSES``.

    Returns
    -------
    Table or Stream
        Its notes say last which rows were left out, and which columns hold none of the training categories.

    Raises
    ------
    DataError
        If a column is lacking, is one too many, holds numbers in one table only or cannot be brought to one
        form; or classes have no training row and are not to be dropped; or no row is left.
    """
    name, form = "the test file", Form.of(train, "the training table", fate)
    _check_columns(test, form, name, "read both alike, or mend the file")
    whole = align(test, form, name=name)
    if unseen_classes == "error":
        check_test_classes(train, whole)
    unseen = unseen_counts(train, whole)
    matched = align(test, form, name=name, drops_unknown=True) if unseen else whole
    if not matched.class_counts:
        raise DataError(
            "the test file holds no row of a class that the training table keeps, which are "
            f"{', '.join(train.class_counts)}; give --test a file that does"
        )
    notes = list(matched.notes)
    if lone := len(test) - len(whole):
        notes.append(f"{lone:,} rows were left out: their class has one row in the training table.")
    if unseen:
        notes.append(
            f"{sum(unseen.values()):,} rows were left out: the training table has no row of their class, "
            f"{', '.join(shown_counts(unseen))}."
        )
    if strange := [name for name in form.head.columns.drop(form.label) if _is_strange(matched, form, name)]:
        notes.append(
            f"No value that the test file has in {', '.join(map(repr, strange))} occurs in the training "
            "table: is it written in another way there?"
        )
    return replace(matched, notes=tuple(notes))


def _is_strange(table: Table | Stream, form: Form, name: str) -> bool:
    """Tell whether a column holds categories, none of which the other table has."""
    own, known = (head[name].dtype for head in (table.head, form.head))
    if not (isinstance(own, pd.CategoricalDtype) and isinstance(known, pd.CategoricalDtype)):
        return False
    return own.categories.intersection(known.categories).empty


def match_generator(table: T, generator: PortableGenerator) -> T:
    """Give a table that takes in a generator's rows as they are.

    Categories and classes go by the names that they have in the generator's training table. Whole numbers
    become floats, and categories get more, in columns where those of the generator are so; every value stays
    what it is.

    Parameters
    ----------
    table
        The table to balance, held or not.
    generator
        The generator that is to balance it.

    Raises
    ------
    DataError
        If a column is lacking, is one too many, holds numbers on one side only or cannot be brought to one
        form; or a class is unknown to the generator.
    """
    name, form = "the table", _form_of(generator)
    remedy = "read it as that was read (--recipe, --label, --drop, --categorical)"
    _check_columns(table, form, name, remedy)
    matched = align(table, form, name=name)
    unknown = [label for label in matched.class_counts if label not in generator.classes]
    if unknown:
        raise DataError(
            f"classes that are unknown to --model: {shown_names([repr(name) for name in unknown])}; it knows "
            f"{', '.join(generator.classes)}: read the table as its training table was read (--recipe, "
            "--rare-classes), or train a generator on this one"
        )
    head = matched.head
    dtypes = {column: _widened(head[column], form.head[column]).dtype for column in head.columns}
    return matched.through(lambda frame: frame.astype(dtypes))


def _form_of(generator: PortableGenerator) -> Form:
    """Give the form of a generator's training table."""
    head = generator.table(pd.DataFrame({"label": generator.classes[:1], "count": [0]}))
    label = generator.spec["label"]["name"]
    values = pd.Series([one["value"] for one in generator.spec["classes"]], dtype=object)
    return Form("the one that --model was trained on", head, label, values.astype(head[label].dtype))


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


def repeated_rows(train: Table, test: Table) -> int:
    """Count the test rows that equal a training row in every column, the label's too."""
    own, asked = row_ids(*encode(train.frame, test.frame))
    return int(np.isin(asked, own).sum())


def _check_columns(table: Table | Stream, form: Form, who: str, remedy: str) -> None:
    """Refuse columns that the other table has not, and features that hold numbers in one of them only."""
    given, known, other = table.head, form.head, form.name
    _refuse(known.columns.difference(given.columns), f"{who} lacks", f"which {other} has; {remedy}")
    _refuse(given.columns.difference(known.columns), f"{who} has", f"which {other} lacks; {remedy}")
    for name in given.columns.drop(form.label):
        one, two = given[name], known[name]
        if _is_number(one) != _is_number(two):
            has_truth = is_bool_dtype(one.dtype) or is_bool_dtype(two.dtype)
            mend = "write it alike in both, as true and false or as 1 and 0" if has_truth else remedy
            raise DataError(f"column {name!r} holds {one.dtype} in {who} and {two.dtype} in {other}; {mend}")


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
        return column.cat.set_categories(_joined(column, other))
    if isinstance(other, pd.CategoricalDtype):
        return column
    return column.astype(pd.concat([column.iloc[:0], forged]).dtype)


def _joined(column: pd.Series, other: pd.CategoricalDtype) -> pd.Index:
    """Give a generator's categories and a table's further ones; no file holds both text and numbers."""
    joined = other.categories.union(column.cat.categories, sort=False)
    text = [value for value in joined if isinstance(value, str)]
    if 0 < len(text) < len(joined):
        raise DataError(
            f"column {column.name!r} holds the text {text[0]!r} in the table and numbers in the one that "
            "--model was trained on; train a generator on this table, or leave the rows with such text out"
        )
    return joined
