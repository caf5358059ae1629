"""A line of a Markdown table, whatever its cells hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["line"]


def line(cells: Iterable[object]) -> str:
    """Write a table's line; a cell's own bars and ends of lines, which a class's name may hold, end none."""
    return f"| {' | '.join(_cell(str(each)) for each in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.splitlines()).replace("\\", "\\\\").replace("|", "\\|")
