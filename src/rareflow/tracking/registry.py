"""The registry: a generator logged as a self-contained MLflow model, registered, and made champion or not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from rareflow.errors import StoreError
from rareflow.generators import portable
from rareflow.generators.portable import PortableGenerator

if TYPE_CHECKING:
    from mlflow.models.model import ModelInfo

__all__ = ["Loaded", "Registered", "load_generator", "log_generator", "register"]

CHAMPION, CHALLENGER = "champion", "challenger"
_CLASS_ROWS = "class_rows"
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
        """The URI that loads it."""
        return f"models:/{self.name}@{self.alias}"


def log_generator(generator: PortableGenerator, *, class_rows: Mapping[str, int]) -> ModelInfo:
    """Log a generator to the active run: a copy of `portable`, a JSON spec, safetensors, nothing pickled.

    Parameters
    ----------
    generator
        A fitted generator.
    class_rows
        Rows that a class is to have, real and forged together, by class; kept in the model's metadata.
    """
    example = pd.DataFrame(
        {"label": generator.classes[:2], "count": np.array([3, 2][: len(generator.classes)])}
    )
    with TemporaryDirectory() as folder:
        return mlflow.pyfunc.log_model(
            name="generator",
            python_model=portable.__file__,
            artifacts={"generator": str(generator.save(Path(folder) / "generator"))},
            signature=_signature(generator),
            input_example=(example, {"seed": 7, "temperature": 1.0}),
            pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in _PACKAGES],
            metadata={_CLASS_ROWS: dict(class_rows)},
        )


def _signature(generator: PortableGenerator) -> ModelSignature:
    """Describe counts by label in, the training table's columns out."""
    outputs = generator.table(pd.DataFrame({"label": generator.classes[:1], "count": [0]}))
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "label"), ColSpec(DataType.long, "count")]),
        outputs=Schema([ColSpec(_type_of(outputs[name]), str(name)) for name in outputs.columns]),
        params=ParamSchema(
            [ParamSpec("seed", DataType.long, None), ParamSpec("temperature", DataType.double, 1.0)]
        ),
    )


def _type_of(column: pd.Series) -> DataType:
    if pd.api.types.is_bool_dtype(column):
        return DataType.boolean
    if pd.api.types.is_numeric_dtype(column):
        return DataType.long if pd.api.types.is_integer_dtype(column) else DataType.double
    return DataType.string


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
        The model card, Markdown: the version's description.
    tags
        Further tags of the version.
    """
    client = MlflowClient()
    own = {"val_macro_f1": repr(val_macro_f1), "data_digest": data_digest, "protocol": protocol}
    made = mlflow.register_model(model.model_uri, name, tags={**tags, **own})
    try:
        client.update_model_version(name, made.version, description=card)
        alias, reason = _verdict(_champion(client, name), own)
        client.set_registered_model_alias(name, alias, made.version)
    except BaseException:  # Ctrl-C too: a version has its card and its alias, or is not there
        client.delete_model_version(name, made.version)
        raise
    return Registered(name, str(made.version), alias, reason)


def _champion(client: MlflowClient, name: str) -> Any | None:  # noqa: ANN401 - MLflow's ModelVersion
    """Give the version that bears the alias, if one does."""
    aliases = client.get_registered_model(name).aliases
    return client.get_model_version(name, aliases[CHAMPION]) if CHAMPION in aliases else None


def _verdict(champion: Any | None, own: Mapping[str, str]) -> tuple[str, str]:  # noqa: ANN401
    """Decide the alias of a new version, and say why."""
    if champion is None:
        return CHAMPION, "the first version of this model"
    for key, what in (("data_digest", "other data"), ("protocol", "another protocol")):
        if champion.tags.get(key) != own[key]:
            return (
                CHALLENGER,
                f"champion version {champion.version} was scored on {what}, so the two cannot be compared",
            )
    theirs, ours = float(champion.tags["val_macro_f1"]), float(own["val_macro_f1"])
    scores = f"val_macro_f1 {ours:.4f} against {theirs:.4f} of version {champion.version}"
    return (CHAMPION, f"better: {scores}") if ours > theirs else (CHALLENGER, f"not better: {scores}")


@dataclass(frozen=True)
class Loaded:
    """A generator out of a store.

    Parameters
    ----------
    generator
        It, as the code that it was logged with makes it.
    class_rows
        Rows that a class is to have, real and forged together, by class; empty where none were logged.
    """

    generator: PortableGenerator
    class_rows: Mapping[str, int]


def load_generator(uri: str) -> Loaded:
    """Load a registered or logged generator.

    Raises
    ------
    StoreError
        If there is no such model, or it is none of rareflow's; the message lists those that are registered.
    """
    try:
        model = mlflow.pyfunc.load_model(uri)
        generator = model.unwrap_python_model().generator
    except (MlflowException, OSError, AttributeError) as err:
        names = [model.name for model in MlflowClient().search_registered_models(max_results=20)]
        known = (
            f"registered are {', '.join(names)}"
            if names
            else "none is registered yet; `rareflow tune` makes one"
        )
        reason = re.sub(r"\s+", " ", str(err))[:160]
        raise StoreError(
            f"--model {uri!r} cannot be loaded ({reason}); in this tracking store {known}"
        ) from err
    return Loaded(generator, (model.metadata.metadata or {}).get(_CLASS_ROWS, {}))
