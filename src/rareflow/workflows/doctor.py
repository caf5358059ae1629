"""`rareflow doctor`: what this installation has, what it lacks and how to get it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rareflow.errors import StoreError
from rareflow.redaction import without_secrets
from rareflow.tracking.environment import versions
from rareflow.tracking.store import current_uri, is_missing, prepare_store
from rareflow.tuning.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Diagnosis", "run"]

_FAIL = "FAIL"


@dataclass(frozen=True)
class Diagnosis:
    """What was found, for the screen, and whether nothing fails."""

    text: str
    is_well: bool


def run(*, storage: str) -> Diagnosis:
    """Look at versions, device, environments and stores; an SQLite file that does not exist yet is not made.

    Parameters
    ----------
    storage
        SQLAlchemy URL of Optuna's database.
    """
    lines = [*_versions(), *_device(), *_environments(), *_stores(storage)]
    return Diagnosis("\n".join(lines), not any(line.startswith(_FAIL) for line in lines))


def _versions() -> Iterator[str]:
    for name, number in versions().items():
        yield f"ok    {name} {number}"


def _device() -> Iterator[str]:
    yield f"ok    {os.cpu_count()} processor cores; --n-threads times --jobs should not exceed them"
    if torch.cuda.is_available():
        yield f"ok    CUDA device {torch.cuda.get_device_name()}"
    else:
        yield "note  no CUDA device: --device auto trains on the CPU; a GPU needs a CUDA build of torch"


def _environments() -> Iterator[str]:
    for tool in ("conda", "uv"):
        if shutil.which(tool):
            yield f"ok    {tool}: `mlflow run . --env-manager {tool}` works"
        else:
            yield f"note  no {tool}: install it for `mlflow run . --env-manager {tool}`, or use local"


def _stores(storage: str) -> Iterator[str]:
    for what, uri, look in (
        ("tracking store", current_uri(), lambda: prepare_store(None)),
        ("study storage", storage, lambda: open_storage(storage)),
    ):
        if is_missing(uri):
            yield f"note  {what} {without_secrets(uri)} does not exist yet; `rareflow tune` makes it"
            continue
        try:
            look()
        except StoreError as err:
            yield f"{_FAIL}  {err}"
        else:
            yield f"ok    {what} {without_secrets(uri)} answers"
