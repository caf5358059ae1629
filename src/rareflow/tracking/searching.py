"""All runs of a search, however many pages they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.entities import ViewType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["every_run"]


def every_run(
    client: MlflowClient, experiments: Sequence[str], which: str = "", view: int = ViewType.ACTIVE_ONLY
) -> list[Run]:
    """Give the runs of these experiments that a filter string of MLflow's holds of, the earliest first."""
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            experiments, which, view, order_by=["attributes.start_time ASC"], page_token=token
        )
        found += page
        token = page.token
        if not token:
            return found
