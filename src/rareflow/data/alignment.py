"""A table brought to the form of another one of its kind: categories and classes under the same names.

The values of a file decide what dtype a column has there. Ports 80, 443 and ``http`` are text in one file, 80
and 443 whole numbers in the next, and floats where one is missing. They are names all the same, and so are
classes. Of two values a text and a number are the same if the text, read as a number, is that number.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from rareflow.data.checks import Fate, Step, settled_counts
from rareflow.data.columns import with_columns
from rareflow.data.dtypes import as_written, is_text, values_dtype
from rareflow.data.stream import Stream
from rareflow.data.table import Table
from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Form", "align"]

T = TypeVar("T", Table, Stream)

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, eq=False)
class Form:
    """What another table is like.

    Parameters
    ----------
    name
        How messages name it.
    head
        Its columns with their dtypes; no row is needed.
    label
        The label column's name.
    classes
        The values of its label, each once, in the label's dtype.
    fate
        What became of further classes that it had.
    """

    name: str
    head: pd.DataFrame
    label: str
    classes: pd.Series
    fate: Fate = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table, name: str, fate: Fate | None = None) -> Form:
        """Give the form of a table that is held."""
        return cls(name, table.head, table.label, table.y.drop_duplicates(), fate or {})


def align(table: T, form: Form, *, name: str, drops_unknown: bool = False) -> T:
    """Give a table under the names that another one has for the same categories and classes.

    Categories that the other table lacks are written as its own are, as text if those are text. Rows of a
    class that was dropped there are dropped, and classes that were merged there are merged. Rows of a class
    that the other table never had are dropped if `drops_unknown`; else it is counted under its own name, and
    all labels stay as they are: such a table is for the caller to refuse.

    Parameters
    ----------
    table
        A table of the same columns, held or not.
    form
        The form of the other table.
    name
        How messages name the table.
    drops_unknown
        Whether rows of classes that the other table never had are dropped.

    Raises
    ------
    DataError
        If one name could be two of the other table, or two could be the same one.
    """
    head, steps, counts = table.head, list[Step](), table.class_counts
    for column in head.columns:
        if column != form.label and isinstance(head[column].dtype, pd.CategoricalDtype):
            steps += _category_step(head[column], form, name)
    names = _class_names(head[form.label].dtype, list(counts), form)
    known = set(form.classes.astype("str"))
    if drops_unknown:
        names = {own: new if new in known else None for own, new in names.items()}
    counts = settled_counts(counts, names)
    if counts.keys() <= known and _is_other(head[form.label].dtype, names, form):
        steps.append(_label_step(names, form))
    for step in steps:
        table = table.through(step)
    return table if isinstance(table, Table) else replace(table, class_counts=counts)


def _category_step(column: pd.Series, form: Form, name: str) -> list[Step]:
    """Give the step that writes a column's categories as the other table does, if it does otherwise."""
    theirs = form.head[column.name]
    is_category = isinstance(theirs.dtype, pd.CategoricalDtype)
    known = theirs.cat.categories.tolist() if is_category else []
    own = column.cat.categories.tolist()
    found = _written(own, known, as_text=is_text(values_dtype(theirs)))
    taken: dict[Any, Any] = {}
    for value, same in zip(own, found, strict=True):
        other = taken.setdefault(_key(same[0]), value)
        if len(same) > 1 or other is not value:
            one, two = ((value,), same[:2]) if len(same) > 1 else ((other, value), same)
            raise DataError(
                f"column {column.name!r} holds {_shown(one)} in {name}, which is {_shown(two)} in {form.name}"
                "; write it in one way in both"
            )
    new = [same[0] for same in found]
    if list(map(_key, new)) == list(map(_key, own)):
        return []
    name = str(column.name)
    return [lambda frame: with_columns(frame, {name: frame[name].cat.rename_categories(new)})]


def _shown(values: Sequence[Any]) -> str:
    return " and ".join(map(repr, values))


def _written(own: Sequence[Any], known: Sequence[Any], *, as_text: bool) -> list[list[Any]]:
    """Give for each value those known that it may be; else itself, as text if that is wanted."""
    found = []
    for value, same in zip(own, _counterparts(own, known), strict=True):
        # Of 0, 00 and 0.0 a whole number 0 is what is written so, or it would have stayed text.
        is_exact = isinstance(value, int) and str(value) in same
        found.append([str(value)] if is_exact else same or [as_written(value) if as_text else value])
    return found


def _counterparts(own: Sequence[Any], known: Sequence[Any]) -> list[list[Any]]:
    """Give for each value the known one that equals it, else those of the other kind that are the same."""
    equal = {_key(value): value for value in known}
    alike = defaultdict(list)
    for value in known:
        alike[isinstance(value, str), _key(_read(value))].append(value)
    return [
        [equal[_key(value)]]
        if _key(value) in equal
        else alike.get((not isinstance(value, str), _key(_read(value))), [])
        for value in own
    ]


def _key(value: Any) -> tuple[bool, Any]:  # noqa: ANN401 - a category may be of any scalar type
    """Tell truth values from the numbers that Python takes them for."""
    return isinstance(value, bool), value


def _read(value: Any) -> Any:  # noqa: ANN401
    """Read text as the number or the truth value that it is, if it is one."""
    text = value.strip() if isinstance(value, str) else ""
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else value


def _class_names(dtype: Any, own: Sequence[str], form: Form) -> Fate:  # noqa: ANN401 - a pandas dtype
    """Give what each class is in the other table, ``None`` for gone, its own name for none."""
    known = [*form.classes.astype("str"), *form.fate]
    others = _class_values(known, form.classes.dtype)
    by_value = {_key(value): name for value, name in zip(others, known, strict=True)}
    found = {name: name for name in own if name in known}
    for name, same in zip(own, _counterparts(_class_values(own, dtype), others), strict=True):
        target = by_value[_key(same[0])] if len(same) == 1 else name
        if name not in found:
            # Of two classes that could be one of the other table's, the second is none.
            found[name] = name if target in found.values() else target
    return {name: form.fate.get(target, target) for name, target in found.items()}


def _class_values(names: Sequence[str], dtype: Any) -> list[Any]:  # noqa: ANN401
    """Give the values that classes are named after: text stays text."""
    return list(names) if _is_named(dtype) else [_read(name) for name in names]


def _is_named(dtype: Any) -> bool:  # noqa: ANN401
    return is_text(values_dtype(pd.Series(dtype=dtype)))


def _is_other(dtype: Any, names: Fate, form: Form) -> bool:  # noqa: ANN401 - a pandas dtype
    """Tell whether labels are other ones in the other table, or of another kind."""
    return _is_named(dtype) != _is_named(form.classes.dtype) or any(old != new for old, new in names.items())


def _label_step(names: Mapping[str, str | None], form: Form) -> Step:
    """Give the step that puts the other table's label values in the place of a table's own."""
    known = pd.Index(form.classes.astype("str"), dtype=object)

    def step(frame: pd.DataFrame) -> pd.DataFrame:
        new = frame[form.label].astype("str").map(dict(names)).to_numpy(dtype=object)
        kept = pd.notna(new)
        values = form.classes.iloc[known.get_indexer(pd.Index(new[kept], dtype=object))]
        left = frame[kept].reset_index(drop=True)
        return with_columns(left, {form.label: values.reset_index(drop=True)})

    return step
