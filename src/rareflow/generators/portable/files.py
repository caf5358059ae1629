"""A generator's two files: a spec in JSON and tensors in safetensors, written, read and held to bounds."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from .spec import DAMAGED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .kernels import Array

__all__ = ["digests", "read", "write"]

_SPEC, _WEIGHTS = "spec.json", "weights.safetensors"
_MOST_BYTES = {_SPEC: 2**26, _WEIGHTS: 2**32}  # far more than any table needs


def read(folder: Path, sha256: Mapping[str, str] | None) -> tuple[Any, dict[str, Array]]:
    """Read both files; errors are those of `PortableGenerator.load`."""
    for name in _MOST_BYTES:
        _check_file(folder, name)
    if sha256 is not None and (found := digests(folder)) != dict(sha256):
        name = next((name for name in found if found[name] != sha256.get(name)), _SPEC)
        raise ValueError(f"{name} has the SHA-256 {found[name]}, not {sha256.get(name)}{DAMAGED}")
    try:
        spec = json.loads((folder / _SPEC).read_text(encoding="utf-8"))
        return spec, load_file(folder / _WEIGHTS)
    except (ValueError, RecursionError, SafetensorError) as err:
        raise ValueError(f"{folder} holds no generator ({str(err)[:100]}){DAMAGED}") from err


def write(folder: Path, spec: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Write both files into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    (folder / _WEIGHTS).write_bytes(save(tensors))  # so that a full disk is an OSError
    (folder / _SPEC).write_text(json.dumps(spec, indent=1), encoding="utf-8")


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of each of the two files, in hexadecimal."""
    found = {}
    for name in _MOST_BYTES:
        with (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _check_file(folder: Path, name: str) -> None:
    """Refuse one of a generator's files that leads out of its folder or is larger than any is."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name} is a link that leads out of {folder}{DAMAGED}")
    size = path.stat().st_size
    if size > _MOST_BYTES[name]:
        raise ValueError(f"{name} has {size:,} bytes, of at most {_MOST_BYTES[name]:,}{DAMAGED}")
