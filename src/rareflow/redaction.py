"""Text without the passwords of the addresses in it: what goes to a screen, a log or a run passes here."""

from __future__ import annotations

import re

__all__ = ["redacted"]

# A file's path may hold an @; SQLite's is one.
_USER = re.compile(r"(?<!sqlite)://[^\s'\"]*@")
_QUERY = re.compile(r"(?<!sqlite)(://[^\s'\"?]*)\?[^\s'\")]*")


def redacted(text: str) -> str:
    """Replace user, password and query of every address in a text by ``***``."""
    return _QUERY.sub(r"\1?***", _USER.sub("://***@", text))
