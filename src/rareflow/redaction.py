"""Addresses and text without passwords: what goes to a screen, a log or a run passes here."""

from __future__ import annotations

import re

__all__ = ["ADDRESS_FORM", "redacted", "without_secrets"]

_EXAMPLE = "user:password@host:port/name"
ADDRESS_FORM = f"dialect://{_EXAMPLE}, other characters in the password as %40 and the like"
"""How to write a database's address; the one address that is shown with a user and a password."""

# A path may hold an @: SQLite's does. A secret may hold an apostrophe, and a text may put one around it all.
_USER = re.compile(rf"(?<!sqlite)://(?!{_EXAMPLE},)[^\s\"]*@")
_QUERY = re.compile(r"(?<!sqlite)(://[^\s\"?]*)\?[^\s\"]*?(?=['\")]*(?:[\s\"]|$))")


def without_secrets(uri: str) -> str:
    """Give an address by itself, whatever is in it, with user, password and query replaced by ``***``."""
    if uri.startswith("sqlite"):
        return uri
    return re.sub(r"\?.*", "?***", re.sub(r"://.*@", "://***@", uri))


def redacted(text: str) -> str:
    """Replace user, password and query of every address in a text by ``***``."""
    return _QUERY.sub(r"\1?***", _USER.sub("://***@", text))
