"""Markdown tables, whatever their cells hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["grid"]


def grid(header: Sequence[str], rows: Iterable[Iterable[object]], *, text: int = 1) -> str:
    """Write a table: so many columns of text first, then figures, which stand to the right.

    A cell's own bars and ends of lines, which a class's name may hold, end none.
    """
    rule = "|" + "---|" * text + "---:|" * (len(header) - text)
    return "\n".join([_line(header), rule, *map(_line, rows)])


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(_cell(str(each)) for each in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.splitlines()).replace("\\", "\\\\").replace("|", "\\|")
