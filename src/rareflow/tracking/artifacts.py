"""A logged model's files: fetched, held against what was recorded of them, before any of their code runs."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import mlflow
import yaml  # MLflow's own dependency
from mlflow.utils.file_utils import local_file_uri_to_path

from rareflow.errors import StoreError

__all__ = ["digest", "fetch", "verify"]

_DESCRIPTION, _SERVING, _CODE = "MLmodel", "serving.py", "artifacts/portable"
_FILES = (
    _DESCRIPTION,
    _SERVING,
    f"{_CODE}/__init__.py",
    "artifacts/generator/spec.json",
    "artifacts/generator/weights.safetensors",
)
_FLAVOR, _LOADER = "python_function", "mlflow.pyfunc.loaders.code_model"  # code as text, nothing pickled


def fetch(uri: str, folder: str | Path) -> Path:
    """Copy a model's files to a folder of our own, where nobody changes them between the check and the load.

    What Python compiled of its code in the store stays there: it would run in the code's place, unchecked.

    Raises
    ------
    StoreError
        If it is a folder that holds no model, or the description is lacking, or names files outside of the
        model, or a pickle.
    """
    local = Path(local_file_uri_to_path(uri))
    if local.is_dir() and not (local / _DESCRIPTION).is_file():
        raise StoreError(f"the folder {str(local)!r} holds no {_DESCRIPTION} file, so no model")
    model = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    _check_description(uri, model)
    for compiled in list(model.rglob("__pycache__")):
        shutil.rmtree(compiled)
    return model


def digest(model: Path) -> str:
    """Give the SHA-256, in hexadecimal, of the names and the bytes of all that decides what a model does.

    Raises
    ------
    StoreError
        If one of the files is lacking.
    """
    whole = hashlib.sha256()
    if lacking := [name for name in _FILES if not (model / name).is_file()]:
        raise StoreError(
            f"the model lacks {lacking[0]}: it is incomplete, or an older rareflow or another program logged "
            "it; train it again, or load another version"
        )
    code = [path.relative_to(model).as_posix() for path in (model / _CODE).rglob("*") if path.is_file()]
    for name in sorted({*_FILES, *code}):
        with (model / name).open("rb") as file:
            whole.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def verify(model: Path, recorded: str | None) -> None:
    """Refuse files that have another digest than the one recorded, if one was.

    Raises
    ------
    StoreError
        The message holds both digests.
    """
    if recorded is not None and (found := digest(model)) != recorded:
        raise StoreError(f"its files are not the registered ones: SHA-256 {found}, recorded {recorded}")


def _check_description(uri: str, model: Path) -> None:
    """Refuse a description that leads MLflow out of the model's own files, or to a pickle."""
    try:
        described = yaml.safe_load((model / _DESCRIPTION).read_text(encoding="utf-8"))
        flavor = described["flavors"][_FLAVOR]
        named = [entry["path"] for entry in flavor.get("artifacts", {}).values()]
        named += [flavor[key] for key in ("code", "data") if flavor.get(key)]
        served = PurePosixPath(flavor.get("model_code_path") or _SERVING).name
        strange = [path for path in named if not _is_inside(path)]
    except (
        OSError,
        yaml.YAMLError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as err:
        raise StoreError(
            f"the model {uri!r} has an MLmodel file that describes no generator; load another version"
        ) from err
    if strange:
        raise StoreError(
            f"the model {uri!r} names {strange[0]!r}, which lies outside of it; its MLmodel file was "
            "tampered with: load another version"
        )
    is_ours = flavor.get("loader_module") == _LOADER and served == _SERVING
    if not is_ours or "python_model" in flavor or flavor.get("code") or flavor.get("data"):
        raise StoreError(
            f"the model {uri!r} holds a pickle, code of another library or of an older rareflow, and none is "
            "run; load a generator that rareflow logged"
        )


def _is_inside(path: Any) -> bool:  # noqa: ANN401 - whatever YAML held
    pure = PurePosixPath(path.replace("\\", "/"))
    return not pure.is_absolute() and ".." not in pure.parts and ":" not in path
