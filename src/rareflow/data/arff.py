"""The ARFF format (Weka's attribute-relation files), dense form.

The kept-up libraries that read ARFF refuse text attributes or go value by value; here the header is parsed by
hand and the rows by pyarrow. The format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from rareflow.data.source import own_buffer
from rareflow.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["parse_arff"]

_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|[^\s{{]+)\s*(.+)", re.IGNORECASE)
_NOMINAL = re.compile(rf"{_QUOTED}|[^,\s][^,]*")
_DATA = re.compile(rb"^[ \t]*@data\b.*$", re.IGNORECASE | re.MULTILINE)
_COMMENT = re.compile(rb"^[ \t]*%.*$", re.MULTILINE)
_SPARSE = re.compile(rb"^[ \t]*\{", re.MULTILINE)
_MISSING = ["?", " ?", "? ", " ? "]


@dataclass(frozen=True)
class _Attribute:
    """A declared column: ``declared`` is what a nominal may hold; ``is_text`` excludes numbers."""

    name: str
    is_text: bool
    declared: tuple[str, ...] = ()


def parse_arff(content: bytes, path: Path) -> pd.DataFrame:
    """Read the content of an ARFF file, in UTF-8.

    Numeric attributes become ``float64``, nominal ones ``category`` with the declared values as text,
    string and date ones ``str``; ``?`` is missing.

    Raises
    ------
    DataError
        If the file is sparse or malformed, or holds a nominal value that it does not declare.
    """
    start = _DATA.search(content)
    if start is None:
        raise DataError(f"{path}: has no @data line; is it an ARFF file, and whole?")
    attributes = _parse_header(content[: start.start()].decode(), path)
    body = _COMMENT.sub(b"", content[start.end() :])
    if _SPARSE.search(body):
        raise DataError(
            f"{path}: is a sparse ARFF file; convert it to a dense one (Weka's SparseToNonSparse)"
        )
    if not body.strip():
        raise DataError(f"{path}: holds no rows below @data")
    frame = _parse_rows(body, attributes, path)
    for i, attribute in enumerate(attributes):
        if attribute.declared:
            frame[i] = _check_nominal(frame[i], attribute, path)
    frame.columns = pd.Index([attribute.name for attribute in attributes])
    return frame


def _parse_header(header: str, path: Path) -> list[_Attribute]:
    attributes = []
    for line in map(str.strip, header.splitlines()):
        match = _ATTRIBUTE.match(line)
        if match:
            attributes.append(_parse_attribute(_unquote(match[1]), match[2], path))
        elif line and not line.lower().startswith(("%", "@relation")):
            raise DataError(f"{path}: {line[:80]!r} is no line of an ARFF header; correct or remove it")
    if not attributes:
        raise DataError(f"{path}: declares no @attribute before @data")
    return attributes


def _parse_attribute(name: str, kind: str, path: Path) -> _Attribute:
    if kind.startswith("{"):
        values = _NOMINAL.findall(kind.strip("{} \t"))
        return _Attribute(name, is_text=True, declared=tuple(dict.fromkeys(map(_unquote, values))))
    word = kind.split(maxsplit=1)[0].lower()
    if word in {"real", "numeric", "integer"}:
        return _Attribute(name, is_text=False)
    if word in {"string", "date"}:
        return _Attribute(name, is_text=True)
    raise DataError(
        f"{path}: column {name!r} is of kind {word!r}, which rareflow does not read; remove the column"
    )


def _unquote(text: str) -> str:
    """Take away outer white space, quotes and the backslashes that quoting needs."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _parse_rows(body: bytes, attributes: list[_Attribute], path: Path) -> pd.DataFrame:
    """Parse the rows into columns named by their number."""
    numbers = [str(i) for i in range(len(attributes))]
    text = pa.dictionary(pa.int32(), pa.string())
    kinds = [(text if a.declared else pa.string()) if a.is_text else pa.float64() for a in attributes]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(own_buffer(body)),
            read_options=pa_csv.ReadOptions(column_names=numbers),
            parse_options=pa_csv.ParseOptions(
                quote_char="'" if b"'" in body else '"', escape_char="\\" if b"\\" in body else False
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict(zip(numbers, kinds, strict=True)),
                null_values=_MISSING,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as err:
        reason = str(err).splitlines()[0][:200]
        column = re.search(r"column #(\d+)", reason)
        where = f"column {attributes[int(column[1])].name!r}: " if column else ""
        raise DataError(f"{path}: {where}the rows are not as declared ({reason}); correct the file") from err
    frame = table.to_pandas()
    frame.columns = pd.RangeIndex(len(attributes))
    return frame


def _check_nominal(column: pd.Series, attribute: _Attribute, path: Path) -> pd.Series:
    """Give a nominal column under its declared values, in the declared order."""
    found = [_unquote(str(value)) for value in column.cat.categories]
    place = pd.Index(attribute.declared).get_indexer(pd.Index(found))
    if (place < 0).any():
        undeclared = found[int(np.argmin(place))]
        raise DataError(
            f"{path}: column {attribute.name!r} holds {undeclared!r}, which is not among its declared values "
            f"{list(attribute.declared)}; correct the value or declare it"
        )
    # A missing value has the code -1, which finds the appended -1.
    codes = np.append(place, -1)[column.cat.codes.to_numpy()]
    return pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(attribute.declared))))
