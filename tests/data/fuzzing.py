"""Tables as files of every kind, right and wrong, and what reading them must never do.

    python -m tests.data.fuzzing --seconds 300 --seed 1

A reader refuses with a one-line `DataError`, or gives the values that the file says. Everything else, a
traceback, a hang or another value, is a failure, and its file is kept.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import math
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rareflow.data.load import load_table
from rareflow.errors import ConfigError, DataError
from tests.data.reading import read_frame

HANG_S = 30
NULLS = {"", "NULL", "null", "NaN", "nan", "N/A", "n/a", "NA", "#N/A", "-nan", "-NaN"}
NAMES = [
    "x",
    "Flow Bytes/s",
    " y ",
    'quo"ted',
    "new\nline",
    "\N{SNAKE}",
    "a,b",
    "'z'",
    "x",
    "x.1",
    "0",
    "",
    "label",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "=1+1",
    "naïve;semi",
    "\ttab",
    "%",
    "@data",
    "{a}",
    "?",
    "\u202e",
    "nan",
]
CELLS: dict[str, list[str]] = {
    "whole": ["0", "1", "-1", "80", "443", "65535", "007", "+5", "9007199254740993"],
    "overflowing": [
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
    ],
    "real": [
        "0.5",
        "-0.0",
        "1e308",
        "-1e308",
        "5e-324",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "1e-400",
    ],
    "infinite": ["inf", "-inf", "Infinity", "1e999"],
    "truth": ["true", "false", "True", "FALSE"],
    "date": [
        "2017-07-07",
        "2017-07-07 08:55:58",
        "2017-07-07T08:55:58Z",
        "03/07/2017 08:55",
        "08:55:58",
        "9999-12-31",
    ],
    "text": [
        "tcp",
        "udp",
        "Web Attack \N{EN DASH} XSS",
        'say "hi"',
        "a,b",
        "two\nlines",
        "\N{SNAKE}",
        "it's",
        "=cmd|'x'!A1",
        " padded ",
        "0x1F",
        "1_000",
        "1,5",
        "\\",
        "%d",
        "@x",
        "{",
        "?",
        "none",
    ],
    "labels": ["0", "1", "01", "1.0", "1.10", "1.1", "1e3", "1000", "DoS, slow", "Normal", "-1"],
    "missing": sorted(NULLS),
}


def cells(rng: random.Random, rows: int) -> list[str]:
    """A column's cells, mostly of one kind, now and then of several."""
    kinds = rng.sample(list(CELLS), 1 if rng.random() < 0.7 else 2)
    if rng.random() < 0.3:
        kinds.append("missing")
    return [rng.choice(CELLS[rng.choice(kinds)]) for _ in range(rows)]


def table(rng: random.Random) -> tuple[list[str], list[list[str]]]:
    """Names, and columns of cells."""
    width, rows = rng.choice([2, 3, 5, 9]), rng.choice([1, 2, 5, 30])
    return [rng.choice(NAMES) for _ in range(width)], [cells(rng, rows) for _ in range(width)]


def csv_of(names: list[str], columns: list[list[str]], rng: random.Random) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"]), quoting=rng.choice([0, 0, 1]))
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def arff_of(names: list[str], columns: list[list[str]], rng: random.Random) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ") + "'"

    kinds = [rng.choice(["numeric", "string", "nominal", "date", "REAL"]) for _ in names]
    lines = ["@relation fuzz", "% a comment"]
    for name, kind, column in zip(names, kinds, columns, strict=True):
        declared = "{" + ",".join(dict.fromkeys(map(quoted, column))) + "}" if kind == "nominal" else kind
        lines.append(f"@attribute {quoted(name)} {declared}")
    lines.append("@DATA")
    for row in zip(*columns, strict=True):
        pairs = zip(row, kinds, strict=True)
        lines += [",".join(quoted(c) if k in {"string", "nominal", "date"} else c or "?" for c, k in pairs)]
    return "\n".join(lines) + "\n"


def parquet_of(rng: random.Random) -> bytes:
    """A Parquet file with columns of types that tables rarely have."""
    rows = rng.choice([1, 2, 7])
    makers = [
        lambda: pa.array([rng.choice([None, 1, -(2**63), 2**63 - 1]) for _ in range(rows)], pa.int64()),
        lambda: pa.array([rng.choice([0, 2**64 - 1]) for _ in range(rows)], pa.uint64()),
        lambda: pa.array([rng.choice([None, 1e308, 5e-324, math.nan, math.inf]) for _ in range(rows)]),
        lambda: pa.array([rng.choice([None, True, False]) for _ in range(rows)], pa.bool_()),
        lambda: pa.array([[1, 2]] * rows),
        lambda: pa.array([{"a": 1}] * rows),
        lambda: pa.array([[("k", 1)]] * rows, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array([b"\xff\x00"] * rows),
        lambda: pa.array(
            [rng.choice([None, "a", "", "\N{SNAKE}"]) for _ in range(rows)], pa.string()
        ).dictionary_encode(),
        lambda: pa.array([rng.choice([1, 2]) for _ in range(rows)]).dictionary_encode(),
        lambda: pa.array([rng.choice([0, 2**40]) for _ in range(rows)], pa.timestamp("us", tz="UTC")),
        lambda: pa.array([253402300799] * rows, pa.timestamp("s")),
        lambda: pa.array([1] * rows, pa.duration("ns")),
        lambda: pa.array([1] * rows, pa.time64("us")),
        lambda: pa.array([1] * rows, pa.date32()),
        lambda: pa.array([1] * rows, pa.decimal128(38, 0)),
        lambda: pa.array(np.float16([1.5] * rows)),
        lambda: pa.nulls(rows),
        lambda: pa.array(["x"] * rows, pa.large_string()),
    ]
    names = [rng.choice(NAMES) for _ in range(rng.choice([1, 2, 4]))]
    out = pa.table([rng.choice(makers)() for _ in names], names=names)
    if rng.random() < 0.3:
        out = out.replace_schema_metadata(
            {"pandas": rng.choice(["{", "null", "[]", '{"columns": 3}', '{"columns": [{}]}'])}
        )
    sink = io.BytesIO()
    pq.write_table(out, sink)
    return sink.getvalue()


def spoiled(content: bytes, rng: random.Random) -> bytes:
    """The content cut short, changed, or in another encoding."""
    how = rng.choice(["cut", "flip", "utf-16", "utf-8-sig", "latin", "insert", "cr", "random", "utf-16-le"])
    if how == "cut":
        return content[: rng.randrange(len(content) + 1)]
    if how in {"flip", "insert"}:
        changed = bytearray(content)
        for _ in range(rng.randrange(1, 9)):
            at = rng.randrange(len(changed) + 1) if changed else 0
            changed[at : at + (how == "flip")] = bytes(
                [rng.choice([0, 10, 34, 39, 44, 92, 123, rng.randrange(256)])]
            )
        return bytes(changed)
    if how == "random":
        return rng.randbytes(rng.choice([1, 50, 4_000]))
    if how == "cr":
        return content.replace(b"\n", b"\r")
    text = content.decode("latin-1" if how == "latin" else "utf-8", "replace")
    return text.encode(how if how.startswith("utf") else "cp1252", "replace")


def is_missing(cell: str) -> bool:
    return cell in NULLS or not cell.strip()


def says(cell: str, value: object) -> bool:
    """Whether a value that was read is what its cell says."""
    if pd.isna(value):  # type: ignore[call-overload]
        return cell.strip() in {"?", *NULLS}
    if isinstance(value, bool | np.bool_):
        return cell.lower() in {
            str(value).lower(),
            str(int(value)),
        }  # beside true and false, 1 and 0 are such
    if isinstance(value, int | np.integer):
        return int(cell, 16 if cell.startswith("0x") else 10) == value
    if isinstance(value, float | np.floating):  # a whole number beyond 2**53 comes as the double next to it
        return float(int(cell, 16) if cell.startswith("0x") else cell) == value
    if isinstance(value, pd.Timestamp):
        return pd.Timestamp(cell).tz_localize(None) == value.tz_localize(None)
    return str(value) in {cell.strip(), cell.strip().replace("\n", " ")}


class HangError(Exception):
    """A reader that does not come to an end."""


@contextmanager
def alarm(seconds: int = HANG_S):
    def ring(*_):
        raise HangError(f"no answer in {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def attempt(path: Path, columns: list[list[str]] | None, rng: random.Random) -> str:
    """Read a file, and load it as a table; say how it ended."""
    with alarm(), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            frame = read_frame(str(path))
        except DataError as err:
            if "\n" in str(err):
                raise AssertionError(f"a message of several lines: {err}") from err
            return "refused"
        if columns is not None:
            compare(frame, columns, is_arff=path.suffix == ".arff")
        label = rng.choice(list(frame.columns))
        try:
            made = load_table(
                str(path),
                label=label,
                rare_classes="keep",
                infinities=rng.choice(["", "missing"]),
                categorical=[name for name in frame.columns if name != label and rng.random() < 0.8],
            )
        except (ConfigError, DataError) as err:
            if "\n" in str(err):
                raise AssertionError(f"a message of several lines: {err}") from err
            return "read"
        if columns is not None and len(frame.columns) == len(columns) and "csv" in path.name:
            classes(made, columns[list(frame.columns).index(label)])
        return "loaded"


def compare(frame: pd.DataFrame, columns: list[list[str]], *, is_arff: bool) -> None:
    """Hold a frame against the cells it was written from, without blank rows."""
    rows = [row for row in zip(*columns, strict=True) if is_arff or not all(is_missing(cell) for cell in row)]
    if len(frame.columns) != len(columns):  # a row counter was left out
        return
    if is_arff and any(cell in NULLS or cell == "?" for row in rows for cell in row):
        return  # text or missing, as the column's kind says
    if len(frame) != len(rows):
        raise AssertionError(f"{len(frame)} rows of {len(rows)}")
    for place, name in enumerate(frame.columns):
        for row, value in zip(rows, frame[name].tolist(), strict=True):
            if not says(row[place], value):
                raise AssertionError(f"column {name!r}: {row[place]!r} was read as {value!r}")


def classes(made, written: list[str]) -> None:
    """Refuse classes that were several in the file and are one in the table."""
    present = {cell.strip() for cell in written if not is_missing(cell)}
    if len(made.class_counts) < len(present):
        raise AssertionError(f"labels {sorted(present)} became {sorted(made.class_counts)}")


def run(
    seed: int, *, seconds: float = math.inf, inputs: float = math.inf, keep: Path | None = None
) -> Counter[str]:
    """Try inputs until so many are tried or the time is over; count how they ended, failures by cause."""
    rng, ended, began = random.Random(seed), Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        while sum(ended.values()) < inputs and time.monotonic() - began < seconds:
            kind = rng.choice(["csv", "csv", "csv.gz", "arff", "parquet"])
            names, columns = table(rng)
            if kind == "parquet":
                content, known = parquet_of(rng), None
            else:
                write = arff_of if kind == "arff" else csv_of
                content, known = write(names, columns, rng).encode(), columns
            if rng.random() < 0.4:
                content, known = spoiled(content, rng), None
            path = Path(folder) / f"t.{kind}"
            path.write_bytes(gzip.compress(content) if kind == "csv.gz" else content)
            try:
                ended[attempt(path, known, rng)] += 1
            except Exception as err:  # this is what is looked for
                where = traceback.extract_tb(err.__traceback__)[-1]
                ended[f"FAILED {type(err).__name__} in {where.name}: {err!s:.150}".partition("\n")[0]] += 1
                if keep:
                    keep.mkdir(exist_ok=True)
                    (keep / f"{sum(ended.values())}-{path.name}").write_bytes(path.read_bytes())
    return ended


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    found = run(given.seed, seconds=given.seconds, keep=given.keep)
    for cause, count in found.most_common():
        print(f"{count:>8,} {cause}")
    print(f"{sum(found.values()):,} inputs in {given.seconds:g} s")
    sys.exit(any(cause.startswith("FAILED") for cause in found))
