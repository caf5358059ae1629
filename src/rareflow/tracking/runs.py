"""Runs: a parent for the whole command, a child for each trial, and an honest state at every end.

A run ends ``FINISHED`` if its work came to its end, ``KILLED`` if someone stopped it (a pruner, Ctrl-C), and
``FAILED`` if an error did; the error's traceback is then the artifact ``error.txt``.
"""

from __future__ import annotations

import math
import os
import re
import time
import traceback
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, InputTag, Metric, Param
from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)
from mlflow.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH

from rareflow.errors import is_stop
from rareflow.redaction import redacted
from rareflow.tracking.active import end_active, start_active
from rareflow.tracking.datasets import describe
from rareflow.tracking.environment import git_commit, process_tags, versions
from rareflow.tracking.outage import ServerAwayError, ask
from rareflow.tracking.spooling.channel import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from rareflow.data.table import Table
    from rareflow.tracking.spooling.spool import SpooledRun

__all__ = ["Run", "Status", "child_run", "create_child", "parent_run"]

Status = Literal["FINISHED", "KILLED", "FAILED"]

# A child names the source its parent names; only MLflow's fluent interface would find it out by itself.
_INHERITED = (MLFLOW_SOURCE_NAME, MLFLOW_SOURCE_TYPE, MLFLOW_USER, MLFLOW_GIT_COMMIT)
_CURVE_POINTS = 200


class Run:
    """One run of the store, written through a channel: workers and threads share no hidden state.

    Leaving its ``with`` block ends it: ``FINISHED`` normally, ``FAILED`` with ``error.txt`` on an error,
    ``KILLED`` on an exception that is no error (`KeyboardInterrupt`, `SystemExit`) or that came of Ctrl-C.
    Exceptions pass on.

    Parameters
    ----------
    channel
        The way to the run, which exists already.
    terminate
        Called once with the state the run ends in.
    """

    def __init__(self, channel: Channel, *, terminate: Callable[[Status], None]) -> None:
        self.id = channel.run_id
        self._channel = channel
        self._terminate = terminate
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ended:
            return
        if error is None:
            self.end("FINISHED")
        elif isinstance(error, Exception) and not is_stop(error):
            try:
                self.log_text(redacted("".join(traceback.format_exception(kind, error, trace))), "error.txt")
            finally:
                self.end("FAILED")
        else:
            self.end("KILLED")

    def end(self, status: Status) -> None:
        """End the run in this state; the first end stands, later ones change nothing."""
        if not self._ended:
            self._ended = True
            self._terminate(status)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters as text; a key that the run has keeps its value: MLflow forbids a change.

        What MLflow refuses in a key (class names have such characters) becomes an underscore, and of keys
        of one call that are the same then, the later ones get further underscores.
        """
        held = self._channel.call(lambda client, run_id: client.get_run(run_id)).data.params
        names = _names(params)
        fresh = [
            Param(names[key], redacted(str(value))) for key, value in params.items() if names[key] not in held
        ]
        for start in range(0, len(fresh), MAX_PARAMS_TAGS_PER_BATCH):
            self._batch(params=fresh[start : start + MAX_PARAMS_TAGS_PER_BATCH])

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Log metrics at one step, those that are not finite left out; their keys become `log_params`'s."""
        self._log([(key, value, step) for key, value in metrics.items()])

    def log_curve(self, history: Sequence[Mapping[str, float]]) -> None:
        """Log one step curve for each key beside ``step``, thinned evenly to at most 200 points.

        Parameters
        ----------
        history
            One mapping a training step in order, each with the key ``step``. The first and the last are
            always kept; values that are not finite are left out.
        """
        kept = np.unique(np.linspace(0, len(history) - 1, min(len(history), _CURVE_POINTS)).astype(int))
        self._log(
            [
                (key, value, int(history[row]["step"]))
                for row in kept
                for key, value in history[row].items()
                if key != "step"
            ]
        )

    def _log(self, points: Sequence[tuple[str, float, int]]) -> None:
        now, names = int(time.time() * 1000), _names(key for key, *_ in points)
        metrics = [
            Metric(names[key], float(value), now, step) for key, value, step in points if math.isfinite(value)
        ]
        for start in range(0, len(metrics), MAX_METRICS_PER_BATCH):
            self._batch(metrics=metrics[start : start + MAX_METRICS_PER_BATCH])

    def _batch(self, **entities: Sequence[Param | Metric]) -> None:
        self._channel.call(lambda client, run_id: client.log_batch(run_id, **entities))

    def log_table(self, table: Table, *, context: str, source: str) -> None:
        """Log a table as an MLflow dataset: its digest, schema, size and source, none of its rows.

        Parameters
        ----------
        table
            The table; MLflow keeps the first 36 characters of its digest.
        context
            What the table was used for, such as ``training``.
        source
            Where it came from: a path, a glob, or a word on the simulator.
        """
        tags = [InputTag("mlflow.data.context", context), InputTag("targets", table.label)]
        datasets = [DatasetInput(describe(table, source=source), tags)]
        self._channel.call(lambda client, run_id: client.log_inputs(run_id, datasets=datasets))

    def log_file(self, path: str | Path) -> None:
        """Copy a file to the artifacts."""
        self._channel.call(lambda client, run_id: client.log_artifact(run_id, str(path)))

    def log_folder(self, path: str | Path, folder: str | None = None) -> None:
        """Copy all that a folder holds to the artifacts, into ``folder`` if given."""
        self._channel.call(lambda client, run_id: client.log_artifacts(run_id, str(path), folder))

    def log_figure(self, figure: Any, name: str) -> None:  # noqa: ANN401 - matplotlib's or plotly's
        """Save a figure: a matplotlib one by its suffix, a plotly one as a page that needs no network."""
        if name.endswith(".html"):
            self.log_text(figure.to_html(include_plotlyjs=True), name)
        else:
            self._channel.call(lambda client, run_id: client.log_figure(run_id, figure, name))

    def log_text(self, text: str, name: str) -> None:
        """Save text as an artifact, in UTF-8."""
        self._channel.call(lambda client, run_id: client.log_text(run_id, text, name))

    def set_tag(self, key: str, value: object) -> None:
        """Set or replace a tag."""
        self._channel.call(lambda client, run_id: client.set_tag(run_id, key, redacted(str(value))))

    def spooled(self) -> SpooledRun:
        """Have the run go on in the spool, and give its place there."""
        return self._channel.spooled()


@contextmanager
def parent_run(
    name: str, *, params: Mapping[str, object] | None = None, tags: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """Open the run of a whole command, with system metrics, versions and the git commit.

    Under ``mlflow run`` it joins the run that ``MLFLOW_RUN_ID`` names and adds only what that does not hold;
    MLflow then takes the variable out of the environment, so workers started inside do not inherit it.
    ``mlflow run`` has the last word on that run's state: ``FINISHED`` or ``FAILED`` by the exit code alone.
    The run is MLflow's active run too. Call `rareflow.tracking.store.prepare_store` first.

    Parameters
    ----------
    name
        The run's name in the user interface; a run that is joined keeps the name the user gave it.
    params, tags
        Logged at the start.
    """
    joined = "MLFLOW_RUN_ID" in os.environ
    uri = str(mlflow.get_tracking_uri())
    own = process_tags()
    active = start_active(uri, None if joined else name, own)
    info = active.info
    channel = Channel(uri, info.run_id, name=info.run_name, start_time=info.start_time, tags=own)
    with Run(channel, terminate=partial(end_active, uri, channel)) as run:
        source = {} if joined and MLFLOW_GIT_COMMIT in active.data.tags else {MLFLOW_GIT_COMMIT: git_commit()}
        software = ", ".join(f"{package} {number}" for package, number in versions().items())
        for key, value in {**source, "rareflow.versions": software, **(tags or {})}.items():
            if value is not None:
                run.set_tag(key, value)
        run.log_params(params or {})
        yield run


@contextmanager
def child_run(
    parent_id: str,
    name: str,
    *,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, str] | None = None,
    tracking_uri: str | None = None,
) -> Iterator[Run]:
    """Open a run nested under a parent, from any process that can reach the store.

    Parameters
    ----------
    parent_id
        The parent's run id.
    name
        The run's name, such as ``trial-0007``.
    params, tags
        Logged at the start.
    tracking_uri
        The store that `rareflow.tracking.store.prepare_store` returned; ``None`` takes MLflow's current one,
        which workers inherit through the environment.
    """
    uri = tracking_uri or str(mlflow.get_tracking_uri())
    start_time = int(time.time() * 1000)
    own = {**process_tags(), MLFLOW_PARENT_RUN_ID: parent_id, **(tags or {})}
    run_id = None
    with suppress(ServerAwayError):
        client = MlflowClient(uri)
        run_id = ask(uri, lambda: create_child(client, parent_id, name, own, start_time))
    channel = Channel(uri, run_id, name=name, start_time=start_time, tags=own)
    with Run(channel, terminate=channel.end) as run:
        run.log_params(params or {})
        yield run


def create_child(
    client: MlflowClient, parent_id: str, name: str, tags: Mapping[str, str], start_time: int
) -> str:
    """Make a run nested under a parent, which passes its source on, and give its id.

    Parameters
    ----------
    client
        Of the store that holds the parent.
    parent_id
        The parent's run id.
    name, tags, start_time
        The run's; ``start_time`` in ms since 1970.
    """
    parent = client.get_run(parent_id)
    inherited = {key: parent.data.tags[key] for key in _INHERITED if key in parent.data.tags}
    made = client.create_run(
        parent.info.experiment_id, start_time=start_time, tags={**inherited, **tags}, run_name=name
    )
    return str(made.info.run_id)


def _names(keys: Iterable[str]) -> dict[str, str]:
    """Give each key the name that it has in MLflow; no two have the same."""
    keys_by_name: dict[str, str] = {}
    for key in dict.fromkeys(keys):
        name = _key(key)
        while name in keys_by_name:
            name += "_"
        keys_by_name[name] = key
    return {key: name for name, key in keys_by_name.items()}


def _key(name: str) -> str:
    """Make a name one that MLflow takes for a metric or a parameter: a path that leads nowhere else."""
    parts = re.sub(r"[^\w. /-]", "_", name).split("/")
    return "/".join("_" if part in {"", ".", ".."} else part for part in parts)
