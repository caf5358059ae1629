"""Addresses and text without passwords: what goes to a screen, a log or a run passes here."""

from __future__ import annotations

import re

__all__ = ["redacted", "without_secrets"]

# A path may hold an @: SQLite's does. A secret may hold an apostrophe, and a text may put one around it all.
_USER = re.compile(r"(?<!sqlite)://[^\s\"]*@")
_QUERY = re.compile(r"(?<!sqlite)(://[^\s\"?]*)\?[^\s\"]*?(?=['\")]*(?:[\s\"]|$))")


def without_secrets(uri: str) -> str:
    """Give an address by itself, whatever is in it, with user, password and query replaced by ``***``."""
    if uri.startswith("sqlite"):
        return uri
    return re.sub(r"\?.*", "?***", re.sub(r"://.*@", "://***@", uri))


def redacted(text: str) -> str:
    """Replace user, password and query of every address in a text by ``***``."""
    return _QUERY.sub(r"\1?***", _USER.sub("://***@", text))
