"""Read a table from CSV, ARFF or Parquet: one file, or all files of a folder or a glob."""

from __future__ import annotations

import codecs
import difflib
import glob
import gzip
import os
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from rareflow.data.arff import parse_arff
from rareflow.data.delimited import parse_csv
from rareflow.data.dtypes import is_text, values_dtype
from rareflow.data.names import unique_names
from rareflow.data.parquet import ParquetPart, settle_objects
from rareflow.data.source import Held, Part, Source, own_buffer, readable
from rareflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import pandas as pd

__all__ = ["ENDINGS", "is_named", "open_source"]

ENDINGS = (".csv", ".csv.gz", ".arff", ".parquet")
_ALSO_CSV = ".txt"  # where the file itself is named: in a folder, text may be anything

_GZIP = b"\x1f\x8b"  # what such a file begins with, whatever its name
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def open_source(
    source: str,
    *,
    written: Collection[str] = (),
    drop: Collection[str] = (),
    only: Collection[str] = (),
    names: Sequence[str] = (),
) -> Source:
    """Open a table to be read frame by frame; what is Parquet is never held whole.

    Names and text are trimmed of white space; a repeated name gets the suffix ``.1``, ``.2`` and so on. Rows
    in which every value is missing are dropped. Dtypes are those of the file; CSV columns get theirs from all
    of their values, ARFF numbers are ``float64``, ARFF nominals ``category``.

    Parameters
    ----------
    source
        A file, a folder or a glob of files that end in one of ``ENDINGS``; a single CSV may end in ``.txt``.
        Several files are read in sorted order and must have the same columns.
    written
        Columns of a CSV whose numbers are names: where numbers would not tell 01 from 1, they stay text.
    drop, only
        Columns that nobody will use, and those that alone will be used; empty: all. Of what nobody will use
        some files may lack a column, and nested ones, which only Parquet has, are left out.
    names
        The columns of a CSV whose first line names none.

    Raises
    ------
    DataError
        If no such file is found, or one cannot be read, is empty or has other columns than the first.
    """

    def unwanted(name: str) -> bool:
        return name in drop or bool(only and name not in only)

    def opened(text: Collection[str]) -> Source:
        notes: list[str] = []
        parts = [_open(path, notes, written, text, unwanted, names) for path in paths]
        return Source(parts, tuple(notes), unwanted)

    paths = _find(source)
    found = opened(())
    # What is text in one file for telling 01 from 1 is text in all: 1.0 must not be 1 in another.
    text = [name for name in written if _is_text_in_some(found, name)]
    return opened(text) if text and all(isinstance(part, Held) for part in found.parts) else found


def _is_text_in_some(source: Source, name: str) -> bool:
    """Tell whether a column is text in some files and not in all."""
    kinds = {is_text(values_dtype(part.witness[name])) for part in source.parts if name in part.witness}
    return len(kinds) > 1


def _find(source: str) -> list[Path]:
    """Give the files that a source names, sorted."""
    if not source.strip():
        raise DataError("--data is empty; give it a file, a folder or a glob, as in --data traffic.csv")
    path = Path(source).expanduser()
    if path.is_file():
        if _ending(path) is None and path.suffix.lower() != _ALSO_CSV:
            raise DataError(
                f"{source}: its ending is none of {', '.join(ENDINGS)}; convert the file or rename it"
            )
        return [path]
    if path.is_dir():
        found = [file for file in path.iterdir() if not file.name.startswith(".")]
    elif glob.has_magic(source):
        found = [Path(file) for file in glob.glob(str(path))]  # noqa: PTH207 - Path.glob refuses absolute globs
    else:
        raise DataError(f"no such file or folder: {source}{_nearby(path)}")
    files = sorted(file for file in found if file.is_file() and _ending(file))
    if not files:
        raise DataError(
            f"{source}: it names no file that ends in {', '.join(ENDINGS)}; give --data another path"
        )
    endings = sorted({str(_ending(file)) for file in files})
    if len(endings) > 1:
        raise DataError(
            f"{source}: holds files of several kinds ({', '.join(endings)}); name one, as in '*{endings[0]}'"
        )
    return files


def is_named(source: str, file: Path) -> bool:
    """Tell whether a source that is a folder or a glob names a file, whether that exists yet or not."""
    path, file = Path(os.path.abspath(Path(source).expanduser())), Path(os.path.abspath(file))  # noqa: PTH100
    if path.is_dir():
        return file.parent.samefile(path) and _ending(file) is not None and not file.name.startswith(".")
    return len(file.parts) == len(path.parts) and all(map(fnmatch, file.parts, path.parts))


def _ending(path: Path) -> str | None:
    return next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), None)


def _nearby(path: Path) -> str:
    """Say which similarly named file stands where `path` was looked for."""
    siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else "; give --data a path that exists"


def _open(
    path: Path,
    notes: list[str],
    written: Collection[str],
    text: Collection[str],
    unwanted: Callable[[str], bool],
    names: Sequence[str],
) -> Part:
    """Open one file of any known kind."""
    part: Part
    with readable(path):
        if _ending(path) == ".parquet":
            part = ParquetPart(path, unwanted)
        elif _ending(path) == ".arff":
            part = _held(path, parse_arff(_text(path, notes), path))
        else:
            content = own_buffer(_text(path, notes))
            part = _held(path, parse_csv(content, path, notes, written=written, text=text, known=names))
    if not part.rows or part.witness.columns.empty:
        raise DataError(f"{path}: holds no rows; give --data a file with rows below its header")
    return part


def _held(path: Path, frame: pd.DataFrame) -> Held:
    return Held(path, settle_objects(frame.set_axis(unique_names(list(frame.columns)), axis=1), path))


def _text(path: Path, notes: list[str]) -> bytes:
    """Give a text file's content as UTF-8; bytes that are no UTF-8 are read as Windows or Latin-1 text."""
    content = path.read_bytes()
    if path.name.lower().endswith(".gz") or content.startswith(_GZIP):
        content = gzip.decompress(content)
    if not content.strip():
        raise DataError(f"{path}: is empty; give --data a file with a header and rows")
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            content = content.decode(encoding, errors="replace").encode()
            break
    if b"\0" in content:
        raise DataError(f"{path}: holds zero bytes, which no text does; write the file in UTF-8")
    try:
        content.decode()
    except UnicodeDecodeError as err:
        text, encoding = _decode(content)
        notes.append(
            f"{path.name} is not UTF-8 (byte {content[err.start]:#04x}): lines that are not were read "
            f"as {encoding}."
        )
        return text.encode()
    return content


def _decode(content: bytes) -> tuple[str, str]:
    """Decode what is not UTF-8 throughout; its lines that are, as files put together have them, stay so."""
    lines = content.split(b"\n")
    decoded = [_decoded(line, "utf-8") for line in lines]
    encoding = "cp1252"
    others = [line for line, text in zip(lines, decoded, strict=True) if text is None]
    if any(_decoded(line, encoding) is None for line in others):
        encoding = "latin-1"
    whole = (
        line.decode(encoding) if text is None else text for line, text in zip(lines, decoded, strict=True)
    )
    return "\n".join(whole), encoding


def _decoded(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None
