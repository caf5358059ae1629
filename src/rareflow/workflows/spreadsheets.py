"""Tables that a spreadsheet opens without running what somebody wrote into them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rareflow.data.columns import with_columns
from rareflow.data.dtypes import is_text, values_dtype
from rareflow.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["check_csv", "defused"]

# What begins a formula in Excel, LibreOffice or Google Sheets, their full-width twins and white space before
# them included: https://owasp.org/www-community/attacks/CSV_Injection. A hyphen by itself is none; it is what
# UNSW-NB15 and Zeek write where there is no service.
_FORMULA = re.compile(r"(?!-\Z)(?:[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


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
        if is_text(values_dtype(frame[name])):
            changed[name] = frame[name].astype(object).map(_quoted, na_action="ignore")
    return with_columns(frame, changed).rename(columns=_quoted)


def _quoted(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
