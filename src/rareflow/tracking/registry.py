"""The registry: a generator logged as a self-contained MLflow model, registered, and made champion or not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType

from rareflow.errors import StoreError
from rareflow.generators import portable
from rareflow.generators.portable import PortableGenerator
from rareflow.tracking.artifacts import digest, fetch
from rareflow.tracking.datasets import column_type
from rareflow.tracking.election import OPEN, Election
from rareflow.tracking.outage import ServerAwayError, ask
from rareflow.tracking.spooling.spool import MODEL_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.models.model import ModelInfo

    from rareflow.tracking.runs import Run

__all__ = [
    "CLASS_ROWS",
    "MODEL_CARD",
    "RECOMMENDED",
    "SHA256",
    "Registered",
    "log_generator",
    "log_or_keep_generator",
    "register",
]

MODEL_CARD = "model_card.md"
"""The artifact of a version's run that holds its whole card."""

RECOMMENDED = "recommended"
"""Tag of a version: ``true`` or ``false``, whether its study found that augmenting helps."""

SHA256 = "rareflow.sha256"
"""Tag of a version and of a logged model: the digest of its files."""

CLASS_ROWS = "class_rows"
"""Entry of a model's metadata: rows that a class is to have, real and forged together, by class."""

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
    """Log a generator to the active run: its own code, a JSON spec, safetensors, nothing pickled.

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
        code = Path(folder) / "artifacts" / "portable"  # beside the file that MLflow runs, as in the model
        copytree(Path(portable.__file__).parent, code, ignore=ignore_patterns("__pycache__"))
        serving = copy(Path(__file__).with_name("serving.py"), folder)
        model = mlflow.pyfunc.log_model(
            name="generator",
            python_model=str(serving),
            artifacts={"generator": str(saved), "portable": str(code)},
            model_config={"max_rows": portable.MAX_ROWS, "sha256": PortableGenerator.digests(saved)},
            signature=_signature(generator),
            input_example=(example, {"seed": 7, "temperature": 1.0}),
            pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in _PACKAGES],
            metadata={CLASS_ROWS: dict(class_rows)},
        )
    with TemporaryDirectory() as folder:
        client.set_logged_model_tags(model.model_id, {SHA256: digest(fetch(model.model_uri, folder))})
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
        What `log_generator` gave; its files are those that were logged, or no version is made.
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

    Raises
    ------
    StoreError
        If the model's files are not those that were logged.
    """
    client = MlflowClient()
    recorded = client.get_logged_model(model.model_id).tags[SHA256]
    with TemporaryDirectory() as folder:
        if (found := digest(fetch(model.model_uri, folder))) != recorded:
            raise StoreError(
                f"the files of {model.model_uri!r} are not those that were logged (SHA-256 {found}, recorded "
                f"{recorded}), so no version is made; run the same command again"
            )
    own = {
        "val_macro_f1": repr(val_macro_f1),
        "data_digest": data_digest,
        "protocol": protocol,
        SHA256: recorded,
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
