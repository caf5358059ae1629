"""Tables that a spreadsheet opens without running what somebody wrote into them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from rareflow.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_csv", "defused"]

# What begins a formula in Excel, LibreOffice or Google Sheets, their full-width twins and white space before
# them included: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def check_csv(path: Path, *, csv_safe: bool) -> None:
    """Refuse ``--csv-safe true`` for a file that is no CSV: no spreadsheet would run its text."""
    if csv_safe and path.name.endswith(".parquet"):
        raise ConfigError(
            f"--csv-safe true is for .csv and .csv.gz, not for --out {str(path)!r}; leave it out"
        )


def defused(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before every text, in cells and in columns' names, that would begin a formula.

    Numbers, negative ones too, stay as they are. What is read back has the apostrophes.
    """
    changed = {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        if pd.api.types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype):
            changed[name] = column.map(_quoted, na_action="ignore")
    return frame.assign(**changed).rename(columns=_quoted)


def _quoted(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
