"""Column names that are fit to be told apart."""

from __future__ import annotations

__all__ = ["unique_names"]


def unique_names(names: list[str]) -> list[str]:
    """Trim names of white space, and give every repeated one the first free suffix ``.1``, ``.2``, ..."""
    trimmed = [str(name).strip() for name in names]
    taken = set(trimmed)
    seen: set[str] = set()
    unique = []
    for name in trimmed:
        candidate, suffix = name, 0
        while candidate in seen or (suffix and candidate in taken):
            suffix += 1
            candidate = f"{name}.{suffix}"
        seen.add(candidate)
        unique.append(candidate)
    return unique
