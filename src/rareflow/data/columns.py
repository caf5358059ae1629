"""A frame with some of its columns replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["with_columns"]


def with_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Give a frame with columns replaced or added: `DataFrame.assign`, for names such as ``self`` too."""
    made = frame.copy(deep=False)
    for name, values in columns.items():
        made[name] = values
    return made
