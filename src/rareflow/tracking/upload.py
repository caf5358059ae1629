"""The way from the spool to the server: every run once, whatever breaks it off in between.

The last thing that is done with a run is its deletion from the spool. All before may be done twice: what the
server has of metrics, parameters, tags and inputs is not added again, artifacts are written over, and a run
that was made is found by what it was made with. A run that another process has gone on with since then keeps
what that logged, and its state.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from mlflow.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH

from rareflow.generators.portable import PortableGenerator
from rareflow.tracking.environment import BIRTH_TAG, HOST_TAG, PROCESS_TAG
from rareflow.tracking.registry import log_generator
from rareflow.tracking.runs import create_child
from rareflow.tracking.searching import every_run
from rareflow.tracking.spooling.spool import MODEL_TAG, RUN_TAG, SERVER_TAG

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlflow.entities import Run

    from rareflow.tracking.spooling.spool import Spool

__all__ = ["Uploaded", "remove", "upload", "uploaded_models"]

_URI_TAG = "rareflow.spool.model.uri"  # of the generator that became the run's model
_OTHERS_TAG = "rareflow.spool.models"  # those that the server's run had before, of another process
_OURS = {RUN_TAG, SERVER_TAG, MODEL_TAG, _URI_TAG, _OTHERS_TAG}
_ERROR = "error.txt"


@dataclass(frozen=True)
class Uploaded:
    """What an upload came to.

    Parameters
    ----------
    runs
        How many runs were uploaded.
    strangers
        The servers of those that were not, because this one does not hold them, or the run they belong to.
    """

    runs: int
    strangers: tuple[str, ...]


def upload(spool: Spool, server: MlflowClient) -> Uploaded:
    """Upload a spool's runs to the server that holds the rest of them; who calls it has seized the spool.

    A run that still says ``RUNNING`` lost its process, and becomes ``KILLED``.
    """
    local = spool.client()
    done, strangers = 0, []
    for run in spool.runs(local):
        run_id = _place(server, local, run)
        if run_id is None:
            strangers.append(run.data.tags[SERVER_TAG])
            continue
        held = server.get_run(run_id)
        if _is_taken_up(held, run):
            _add(server, held, spool, local, run)
        else:
            _complete(server, held, spool, local, run)
        local.delete_run(run.info.run_id)
        done += 1
    return Uploaded(done, tuple(dict.fromkeys(strangers)))


def uploaded_models(spool: Spool) -> list[tuple[str, str, str]]:
    """Give each generator that went from a spool to the server: its run's name, its URI, the server.

    Those of uploads that were cut off are among them, for what is deleted stays until the spool is removed.
    """
    local = spool.client()
    experiments = [experiment.experiment_id for experiment in local.search_experiments()]
    found = every_run(local, experiments, f"tags.`{_URI_TAG}` LIKE 'models:/%'", ViewType.DELETED_ONLY)
    return [(run.info.run_name, run.data.tags[_URI_TAG], run.data.tags[SERVER_TAG]) for run in found]


def remove(spool: Spool) -> None:
    """Remove a spool's folder; who calls it has seized it and uploaded all.

    The database goes last but for the lock: broken off before, the same can be done again.
    """
    shutil.rmtree(spool.folder / "artifacts", ignore_errors=True)
    for file in sorted(spool.folder.iterdir(), key=lambda file: (file.name == "lock", file.name)):
        file.unlink()
    spool.folder.rmdir()


def _place(server: MlflowClient, local: MlflowClient, run: Run) -> str | None:
    """Find the server's run that a spooled one is the rest of, or make it; ``None``: another server's."""
    known = run.data.tags.get(RUN_TAG)
    try:
        if known is not None:
            return str(server.get_run(known).info.run_id)
        parent_id = run.data.tags[MLFLOW_PARENT_RUN_ID]
        experiment = server.get_run(parent_id).info.experiment_id
    except MlflowException as err:
        if err.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    run_id = _find(server, experiment, run) or create_child(
        server, parent_id, run.info.run_name, _tags(run), run.info.start_time
    )
    local.set_tag(run.info.run_id, RUN_TAG, run_id)
    return run_id


def _find(server: MlflowClient, experiment: str, run: Run) -> str | None:
    """Find the run of this process, name and start: an upload made it, or a call whose answer was lost."""
    own = run.data.tags
    which = (
        f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{own[MLFLOW_PARENT_RUN_ID]}' "
        f"AND attributes.start_time = {run.info.start_time} "
        f"AND tags.`{HOST_TAG}` = '{own[HOST_TAG]}' AND tags.`{PROCESS_TAG}` = '{own[PROCESS_TAG]}'"
    )
    for found in every_run(server, [experiment], which):
        if found.info.run_name == run.info.run_name:
            return str(found.info.run_id)
    return None


def _is_taken_up(held: Run, run: Run) -> bool:
    """Tell whether the server's run was gone on with by another process than the one that spooled it."""
    ours, theirs = run.data.tags, held.data.tags
    process = (HOST_TAG, PROCESS_TAG, BIRTH_TAG)
    return any(ours[tag] != theirs.get(tag, ours[tag]) for tag in process if tag in ours)


def _complete(server: MlflowClient, held: Run, spool: Spool, local: MlflowClient, run: Run) -> None:
    """Upload all that a spooled run holds, and its end."""
    run_id = str(held.info.run_id)
    _upload_entities(server, held, local, run)
    if (artifacts := spool.artifacts(run.info.run_id)).is_dir():
        server.log_artifacts(run_id, str(artifacts))
    if MODEL_TAG in run.data.tags:
        _log_model(server, held, spool, local, run)
    ended = run.info.status != "RUNNING"
    server.set_terminated(run_id, run.info.status if ended else "KILLED", run.info.end_time)


def _add(server: MlflowClient, held: Run, spool: Spool, local: MlflowClient, run: Run) -> None:
    """Upload what a run lacks that another process has gone on with; the rest of it stays, its state too."""
    run_id = str(held.info.run_id)
    _upload_entities(server, held, local, run, kept=held.data.tags)
    _add_artifacts(server, run_id, spool.artifacts(run.info.run_id))
    if MODEL_TAG in run.data.tags:
        _log_model(server, held, spool, local, run, is_newer=True)
        # To log a model makes the run active, and ends it.
        if held.info.status == "RUNNING":
            server.update_run(run_id, "RUNNING")
        else:
            server.set_terminated(run_id, held.info.status, held.info.end_time)


def _upload_entities(
    server: MlflowClient, held: Run, local: MlflowClient, run: Run, *, kept: Collection[str] = ()
) -> None:
    """Upload tags but for those that are kept, parameters that lack, metrics with their history, tables."""
    run_id = str(held.info.run_id)
    params = [Param(key, value) for key, value in run.data.params.items() if key not in held.data.params]
    tags = [RunTag(key, value) for key, value in _tags(run).items() if key not in kept]
    metrics = [point for key in run.data.metrics for point in local.get_metric_history(run.info.run_id, key)]
    for kind, all_of_them, most in (
        ("params", params, MAX_PARAMS_TAGS_PER_BATCH),
        ("tags", tags, MAX_PARAMS_TAGS_PER_BATCH),
        ("metrics", metrics, MAX_METRICS_PER_BATCH),
    ):
        for start in range(0, len(all_of_them), most):
            server.log_batch(run_id, **{kind: all_of_them[start : start + most]})
    if datasets := run.inputs.dataset_inputs:
        server.log_inputs(run_id, datasets=datasets)


def _add_artifacts(server: MlflowClient, run_id: str, folder: Path) -> None:
    """Upload the files of a folder whose names the run does not have, but for an error's traceback."""
    for place, _, names in os.walk(folder):
        where = Path(place).relative_to(folder).as_posix()
        within = None if where == "." else where
        held = {_ERROR, *(artifact.path for artifact in server.list_artifacts(run_id, within))}
        for name in sorted(names):
            if (name if within is None else f"{within}/{name}") not in held:
                server.log_artifact(run_id, str(Path(place, name)), within)


def _log_model(
    server: MlflowClient,
    held: Run,
    spool: Spool,
    local: MlflowClient,
    run: Run,
    *,
    is_newer: bool = False,
) -> None:
    """Log the generator that was to become the run's model, unless an upload that was cut off has done so.

    Models that a run had before the first upload are another process's if the run `is_newer` than the spool.
    """
    own_id, experiment = run.info.run_id, held.info.experiment_id
    found = server.search_logged_models([experiment], filter_string=f"source_run_id = '{held.info.run_id}'")
    ready = {str(model.model_id): str(model.model_uri) for model in found if model.status == "READY"}
    others = run.data.tags.get(_OTHERS_TAG, ",".join(["none", *ready]) if is_newer else "none")
    local.set_tag(own_id, _OTHERS_TAG, others)
    uri = next((ready[model_id] for model_id in ready.keys() - set(others.split(","))), None)
    if uri is None:
        generator = PortableGenerator.load(spool.model(own_id))
        with mlflow.start_run(run_id=held.info.run_id, log_system_metrics=False):
            model = log_generator(generator, class_rows=json.loads(run.data.tags[MODEL_TAG]))
        uri = str(model.model_uri)
    local.set_tag(own_id, _URI_TAG, uri)


def _tags(run: Run) -> dict[str, str]:
    return {key: value for key, value in run.data.tags.items() if key not in _OURS}
