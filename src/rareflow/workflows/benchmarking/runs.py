"""A benchmark as MLflow sees it: a parent that a later session continues, and a child for each cell."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rareflow.data.card import data_card
from rareflow.evaluation.quality import mean_quality
from rareflow.evaluation.statistics import scores_by_seed
from rareflow.tracking.children import finished_children
from rareflow.tracking.continuation import continue_run
from rareflow.tracking.outage import ServerAwayError
from rareflow.tracking.runs import Run, child_run, parent_run
from rareflow.workflows.benchmarking.plan import shots_text
from rareflow.workflows.benchmarking.results import read_frames
from rareflow.workflows.progress import say
from rareflow.workflows.scoring import log_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rareflow.workflows.benchmarking.cells import Frames
    from rareflow.workflows.benchmarking.plan import BenchmarkSettings, Cell
    from rareflow.workflows.benchmarking.results import Results
    from rareflow.workflows.settings import Settings

__all__ = ["benchmark_run", "log_cell", "log_lacking", "log_report"]

_METRICS = ("macro_precision", "macro_recall", "macro_f1", "mcc")
_OF_ALL_CELLS = ("split", "test_size", "detectors", "repeats", "inner_rows", "fidelity")
# The facts speak of how rows are split; seeds are a tag, and a session's threads and device change no cell.
_NOT_OF_A_CELL = {"split", "test_size", "seed", "experiment", "n_threads", "device"}


@contextmanager
def benchmark_run(settings: Settings, how: BenchmarkSettings, results: Results) -> Iterator[Run]:
    """Open the benchmark's run, or go on with the one that the results were logged to before.

    What may grow from session to session (shots, seeds, augmenters) are tags, what may not are parameters.
    """
    continued = continue_run(results.run_id, settings.experiment)
    facts = results.facts
    params = {name: value for name, value in settings.params.items() if name not in _NOT_OF_A_CELL}
    params |= {name: facts[name] for name in _OF_ALL_CELLS if facts[name] is not None}
    tags = {name: value for name, value in settings.tags.items() if name != "protocol"} | {
        "shots": ",".join(how.shots),
        "seeds": f"{settings.seed} to {settings.seed + how.seeds - 1}",
        "augmenters": ", ".join(how.augmenters) or "all",
    }
    with parent_run(f"benchmark {facts['table']}", params=params, tags=tags) as parent:
        results.run_id = parent.id
        if not continued:
            _log_data(parent, settings)
        yield parent


def log_cell(parent: Run, cell: Cell, frames: Frames) -> None:
    """Log a cell as a child of the benchmark's run."""
    found = frames["results"].set_index("detector")
    shots = shots_text(cell.shots)
    metrics = {
        f"test/{detector}/{name}": value for name in _METRICS for detector, value in found[name].items()
    }
    metrics |= {f"mean_{name}": found[name].mean() for name in _METRICS}
    metrics |= {f"test/f1/{label}": f1 for label, f1 in frames["classes"].set_index("class")["f1"].items()}
    metrics["seconds"] = found["seconds"].iloc[0]
    amount = found["amount"].iloc[0]
    params = {"shots": shots, "seed": cell.seed, "augmenter": cell.augmenter, "amount": amount}
    with child_run(parent.id, _child_name(cell), params=params) as run:
        if "fidelity" in frames:
            metrics |= mean_quality(frames["fidelity"])
            run.log_text(frames["fidelity"].to_csv(index=False), "fidelity.csv")
        run.log_metrics(metrics)


def log_lacking(parent: Run, results: Results) -> None:
    """Log the cells that the folder holds and the run has no finished child of: a session died in between.

    While the server is away nobody knows which these are, and a later session logs them.
    """
    with suppress(ServerAwayError):
        logged = finished_children(parent.id)
        if lacking := [cell for cell in results.seconds if _child_name(cell) not in logged]:
            say(f"{len(lacking)} of the cells that are done are not in the run yet: logging them ...")
            files = {
                name: dict(list(frame.groupby(["shots", "seed", "augmenter"])))
                for name, frame in read_frames(results.folder).items()
            }
            for cell in lacking:
                key = shots_text(cell.shots), cell.seed, cell.augmenter
                log_cell(parent, cell, {name: held[key] for name, held in files.items() if key in held})


def _child_name(cell: Cell) -> str:
    return f"{shots_text(cell.shots)}-shots-seed-{cell.seed}-{cell.augmenter}"


def log_report(parent: Run, folder: Path) -> None:
    """Log report, tables, results and figures, and each augmenter's mean macro-F1."""
    for shots, found in read_frames(folder)["results"].groupby("shots", sort=False):
        means = scores_by_seed(found).mean() / 100
        parent.log_metrics({f"mean_macro_f1/{shots}/{name}": value for name, value in means.items()})
    tables = ("macro", "comparison", "results", "classes", "fidelity")
    for file in ("report.md", "benchmark.json", *(f"{name}.csv" for name in tables)):
        if (folder / file).exists() and (folder / file).stat().st_size:
            parent.log_file(folder / file)
    parent.log_folder(folder / "figures", "figures")


def _log_data(run: Run, settings: Settings) -> None:
    """Log the data card and the table, whole: each seed splits it anew."""
    if settings.test:
        log_data(run, settings)
        return
    run.log_text(data_card(settings.source.table), "data_card.md")
    run.log_table(settings.source.table, context="training and test", source=settings.source.data)
