"""Checkpoints: a training kept in a file now and then, so that it goes on where it was cut off."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from rareflow.errors import ConfigError, StoreError, check_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rareflow.generators.training import Step, Training

__all__ = ["Checkpoint"]


_FORMAT = 2  # raised where the rest of a training would no longer be the same


@dataclass(frozen=True)
class Checkpoint:
    """Where trainings are kept: a file each, named by all that its training depends on.

    Parameters
    ----------
    folder
        Where the files stand; it exists.
    every
        Generator steps from one writing to the next, >= 1.

    Raises
    ------
    ConfigError
        If there is no such folder, or `every` is no whole number from 1.
    """

    folder: Path
    every: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if not self.folder.is_dir():
            raise ConfigError(f"folder={str(self.folder)!r} is none that exists; make it, or give another")
        check_whole("every", self.every, least=1)

    def steps(self, training: Training, seed: object) -> Iterator[Step]:
        """Do a training from where its file has it, if there is one, and give the steps that are left.

        The file is deleted in the end.

        Parameters
        ----------
        training
            One that has not begun.
        seed
            What its random source comes from.

        Raises
        ------
        StoreError
            If the file is damaged.
        DivergedError
            As the training itself.
        """
        path = self._path(training, seed)
        if path.exists():
            _resume(training, path)
        for step in training:
            yield step
            if step.step % self.every == 0:
                new = path.with_name(f"{path.name}.{os.getpid()}")  # others may do the same training
                try:
                    new.write_bytes(save(training.state()))  # so that a full disk is an OSError
                    new.replace(path)  # the one before stays whole until this one is
                finally:
                    new.unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def _path(self, training: Training, seed: object) -> Path:
        """Name the file by rows, classes, configuration, seed, device and version."""
        about = (
            _FORMAT,
            training.config,
            training.layout,
            seed,
            training.source.device.type,
            torch.__version__,
        )
        digest = hashlib.sha256(repr(about).encode())
        for name in ("x", "order", "counts"):
            digest.update(training.rows[name].cpu().numpy().tobytes())
        return self.folder / f"rareflow-training-{digest.hexdigest()[:16]}.safetensors"


def _resume(training: Training, path: Path) -> None:
    """Take a training to where its file has it."""
    try:
        training.resume(load_file(path))
    except (SafetensorError, KeyError, RuntimeError) as err:
        raise StoreError(f"the checkpoint {path} is damaged; delete it to begin anew ({err})") from err
