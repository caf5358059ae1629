"""A generator loaded from MLflow: what its files are is held before any of their code runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import get_model_name_and_version

from rareflow.errors import StoreError
from rareflow.generators.portable import PortableGenerator
from rareflow.tracking.artifacts import digest, fetch, verify
from rareflow.tracking.outage import ServerAwayError, ask
from rareflow.tracking.registry import CLASS_ROWS, RECOMMENDED, SHA256

if TYPE_CHECKING:
    from mlflow.entities.model_registry import RegisteredModel

__all__ = ["Loaded", "load_generator"]


@dataclass(frozen=True)
class Loaded:
    """A generator out of a store.

    Parameters
    ----------
    generator
        It, as the code that it was logged with makes it.
    class_rows
        Rows that a class is to have, real and forged together, by class; empty where none were logged.
    uri
        What loads it again: an alias has become its version.
    sha256
        The digest of its files.
    is_recommended
        Whether augmenting helped, as far as its study knows; True of one that was never in a study.
    """

    generator: PortableGenerator
    class_rows: Mapping[str, int]
    uri: str
    sha256: str
    is_recommended: bool = True


def load_generator(uri: str, *, sha256: str | None = None) -> Loaded:
    """Load a registered or logged generator.

    Nothing of it is run before its files are what the store recorded of them.

    Parameters
    ----------
    uri
        Any MLflow model URI.
    sha256
        The digest that its files are to have besides, as `Loaded` has it; ``None``: any.

    Raises
    ------
    StoreError
        If there is no such model, it is none of rareflow's, or its files are not the recorded ones; the
        message lists those that are registered.
    """
    store = str(mlflow.get_tracking_uri())
    try:
        return ask(store, lambda: _load(uri, sha256))
    except ServerAwayError:
        raise
    except (MlflowException, StoreError, ImportError, OSError, AttributeError, ValueError) as err:
        found = ask(store, lambda: MlflowClient().search_registered_models(max_results=20))
        names = ", ".join(name for model in found for name in _uris(model))
        known = f"registered are {names}" if names else "none is registered yet; `rareflow tune` makes one"
        reason = re.sub(r"\s+", " ", str(err))[:300]
        raise StoreError(
            f"--model {uri!r} cannot be loaded ({reason}); in this tracking store {known}"
        ) from err


def _uris(model: RegisteredModel) -> list[str]:
    """Give what loads a registered model: its aliases, or its last version where it has none."""
    last = [f"models:/{model.name}/{version.version}" for version in model.latest_versions[-1:]]
    return [f"models:/{model.name}@{alias}" for alias in model.aliases] or last or [model.name]


def _load(uri: str, sha256: str | None) -> Loaded:
    with TemporaryDirectory() as folder:
        found, recorded, is_recommended = _resolve(uri)
        files = fetch(found, folder)
        for expected in (recorded, sha256):
            verify(files, expected)
        found_sha256 = digest(files)
        model = mlflow.pyfunc.load_model(str(files))
        generator = model.unwrap_python_model().generator
    class_rows = (model.metadata.metadata or {}).get(CLASS_ROWS, {})
    return Loaded(generator, class_rows, found, found_sha256, is_recommended)


def _resolve(uri: str) -> tuple[str, str | None, bool]:
    """Give the URI that pins an alias to its version, the digest if one is recorded, and the study's word."""
    client, is_recommended = MlflowClient(), True
    if re.match("models:/+[^/@]+[/@]", uri):
        name, number = get_model_name_and_version(client, uri)
        version = client.get_model_version(name, number)
        uri = f"models:/{name}/{number}"
        is_recommended = version.tags.get(RECOMMENDED) != "false"
        if recorded := version.tags.get(SHA256):
            return uri, recorded, is_recommended
        logged = version.source  # of a version that another program registered
    else:
        logged = uri
    if re.fullmatch("models:/+m-[^/@]+", logged):
        recorded = client.get_logged_model(logged.rpartition("/")[2]).tags.get(SHA256)
        return uri, recorded, is_recommended
    return uri, None, is_recommended
