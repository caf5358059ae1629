"""The registry: a generator logged as a self-contained MLflow model, registered, and made champion or not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.store.artifact.utils.models import get_model_name_and_version
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType

from rareflow.errors import StoreError
from rareflow.generators import portable
from rareflow.generators.portable import PortableGenerator
from rareflow.tracking.artifacts import digest, fetch, verify
from rareflow.tracking.datasets import column_type
from rareflow.tracking.election import OPEN, Election
from rareflow.tracking.outage import ServerAwayError, ask
from rareflow.tracking.spooling.spool import MODEL_TAG

if TYPE_CHECKING:
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.models.model import ModelInfo

    from rareflow.tracking.runs import Run

__all__ = [
    "MODEL_CARD",
    "RECOMMENDED",
    "Loaded",
    "Registered",
    "load_generator",
    "log_generator",
    "log_or_keep_generator",
    "register",
]

MODEL_CARD = "model_card.md"
"""The artifact of a version's run that holds its whole card."""

RECOMMENDED = "recommended"
"""Tag of a version: ``true`` or ``false``, whether its study found that augmenting helps."""

_SHA256 = "rareflow.sha256"
_CLASS_ROWS = "class_rows"
_DESCRIPTION_CHARS = 5_000  # as MLflow's column has it: PostgreSQL refuses what is longer, SQLite does not
_PACKAGES = ("mlflow", "numba", "numpy", "pandas", "safetensors", "threadpoolctl")


@dataclass(frozen=True)
class Registered:
    """A version in the registry.

    Parameters
    ----------
    name, version
        The registered model and its version.
    alias
        ``champion`` or ``challenger``.
    reason
        Why it got that alias, in one sentence.
    """

    name: str
    version: str
    alias: str
    reason: str

    @property
    def uri(self) -> str:
        """The URI that loads it, whatever becomes of its alias."""
        return f"models:/{self.name}/{self.version}"


def log_generator(generator: PortableGenerator, *, class_rows: Mapping[str, int]) -> ModelInfo:
    """Log a generator to the active run: a copy of `portable`, a JSON spec, safetensors, nothing pickled.

    Parameters
    ----------
    generator
        A fitted generator.
    class_rows
        Rows that a class is to have, real and forged together, by class; kept in the model's metadata.
    """
    client = MlflowClient()
    example = pd.DataFrame(
        {"label": generator.classes[:2], "count": np.array([3, 2][: len(generator.classes)])}
    )
    with TemporaryDirectory() as folder:
        saved = generator.save(Path(folder) / "generator")
        model = mlflow.pyfunc.log_model(
            name="generator",
            python_model=portable.__file__,
            artifacts={"generator": str(saved)},
            model_config={"max_rows": portable.MAX_ROWS, "sha256": PortableGenerator.digests(saved)},
            signature=_signature(generator),
            input_example=(example, {"seed": 7, "temperature": 1.0}),
            pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in _PACKAGES],
            metadata={_CLASS_ROWS: dict(class_rows)},
        )
    client.set_logged_model_tags(model.model_id, {_SHA256: _digest(model.model_uri)})
    return model


def log_or_keep_generator(
    run: Run, generator: PortableGenerator, *, class_rows: Mapping[str, int]
) -> ModelInfo | None:
    """Log a generator to a run; while the server is away keep it in the spool, and `rareflow sync` logs it.

    Parameters
    ----------
    run
        The active run.
    generator, class_rows
        As in `log_generator`.
    """
    try:
        return ask(str(mlflow.get_tracking_uri()), lambda: log_generator(generator, class_rows=class_rows))
    except ServerAwayError:
        place = run.spooled()
        generator.save(place.spool.model(place.run_id))
        place.client.set_tag(place.run_id, MODEL_TAG, json.dumps(dict(class_rows)))
        return None


def _digest(uri: str) -> str:
    """Give the digest of a model's files as the store has them; they are complete, or it is refused."""
    with TemporaryDirectory() as folder:
        return digest(fetch(uri, folder))


def _signature(generator: PortableGenerator) -> ModelSignature:
    """Describe counts by label in, the training table's columns out."""
    outputs = generator.table(pd.DataFrame({"label": generator.classes[:1], "count": [0]}))
    return ModelSignature(
        # Of other types MLflow would cut 1.5 down to 1, read "3" as 3 and a label that is null as "None"
        # before the model, which refuses all three, hears of it. It would refuse numbers as labels.
        inputs=Schema([ColSpec(AnyType(), "label"), ColSpec(AnyType(), "count")]),
        outputs=Schema([ColSpec(column_type(outputs[name].dtype), str(name)) for name in outputs.columns]),
        params=ParamSchema(
            [ParamSpec("seed", DataType.long, None), ParamSpec("temperature", DataType.double, 1.0)]
        ),
    )


def register(
    model: ModelInfo,
    name: str,
    *,
    val_macro_f1: float,
    data_digest: str,
    protocol: str,
    card: str,
    tags: Mapping[str, str],
) -> Registered:
    """Register a logged model: as champion if it beats the present one on the same data, else challenger.

    Parameters
    ----------
    model
        What `log_generator` gave; its artifacts are complete before a version exists.
    name
        The registered model, ``rareflow-<data set>``.
    val_macro_f1
        Its validation score, 0..1, on which champions are compared.
    data_digest, protocol
        The data and the way of scoring; scores are compared only where both are equal.
    card
        The model card, Markdown: the version's description. Of one too long for that it is the beginning;
        the run that logged the model has the whole as its artifact `MODEL_CARD`.
    tags
        Further tags of the version.
    """
    client = MlflowClient()
    own = {
        "val_macro_f1": repr(val_macro_f1),
        "data_digest": data_digest,
        "protocol": protocol,
        _SHA256: _digest(model.model_uri),
    }
    election = Election.open(client, name)
    made = mlflow.register_model(model.model_uri, name, tags={**tags, **own, OPEN: "open"})
    version = str(made.version)
    try:
        client.update_model_version(name, version, description=_description(card, model.run_id))
        alias, reason = election.settle(version)
    except BaseException:  # Ctrl-C too: a version has its card and its alias, or is not there
        election.withdraw(version)
        raise
    return Registered(name, version, alias, reason)


def _description(card: str, run_id: str | None) -> str:
    """Give a card as the registry holds it: a longer one is cut at a line's end and says where it goes on."""
    if len(card) <= _DESCRIPTION_CHARS:
        return card
    last = f"\n\nThe card goes on: the whole of it is `{MODEL_CARD}` among the artifacts of run `{run_id}`.\n"
    # One character more than there is room for, which may be the line's end.
    return card[: _DESCRIPTION_CHARS - len(last) + 1].rpartition("\n")[0] + last


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
        model = mlflow.pyfunc.load_model(str(files))
        generator = model.unwrap_python_model().generator
        found_sha256 = digest(files)
    class_rows = (model.metadata.metadata or {}).get(_CLASS_ROWS, {})
    return Loaded(generator, class_rows, found, found_sha256, is_recommended)


def _resolve(uri: str) -> tuple[str, str | None, bool]:
    """Give the URI that pins an alias to its version, the digest if one is recorded, and the study's word."""
    client, is_recommended = MlflowClient(), True
    if re.match("models:/+[^/@]+[/@]", uri):
        name, number = get_model_name_and_version(client, uri)
        version = client.get_model_version(name, number)
        uri = f"models:/{name}/{number}"
        is_recommended = version.tags.get(RECOMMENDED) != "false"
        if recorded := version.tags.get(_SHA256):
            return uri, recorded, is_recommended
        logged = version.source  # of a version that another program registered
    else:
        logged = uri
    if re.fullmatch("models:/+m-[^/@]+", logged):
        recorded = client.get_logged_model(logged.rpartition("/")[2]).tags.get(_SHA256)
        return uri, recorded, is_recommended
    return uri, None, is_recommended
