"""`rareflow benchmark`: augmenters side by side, over shots and seeds, resumed where it was stopped."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rareflow.evaluation.augmenters.networks import NetworkAugmenter
from rareflow.evaluation.augmenters.registry import augmenter
from rareflow.evaluation.augmenters.reweighting import ClassWeights, TunedThresholds
from rareflow.evaluation.classifiers import check_detectors
from rareflow.redaction import without_secrets
from rareflow.tracking.leftovers import sweep_children, sweep_dead_runs
from rareflow.tracking.store import prepare_store
from rareflow.workflows.benchmarking.cells import Bench, cell_text, tell_part, tell_parts
from rareflow.workflows.benchmarking.countdown import Countdown
from rareflow.workflows.benchmarking.plan import BenchmarkSettings, cells_of, facts_of, protocol_of
from rareflow.workflows.benchmarking.report import write_report
from rareflow.workflows.benchmarking.results import Results
from rareflow.workflows.benchmarking.runs import benchmark_run, log_cell, log_lacking, log_report
from rareflow.workflows.outcome import told
from rareflow.workflows.processes import computed
from rareflow.workflows.progress import duration, say
from rareflow.workflows.settings import limit_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rareflow.tracking.runs import Run
    from rareflow.workflows.benchmarking.plan import Cell
    from rareflow.workflows.settings import Settings

__all__ = ["BenchmarkSettings", "report", "run"]


def run(settings: Settings, how: BenchmarkSettings) -> str:
    """Compute the cells that the folder lacks, then write the report on all that it holds.

    Nothing is written before data, options, folder and tracking store have passed their checks, and the part
    of the first cell that is missing has been made.

    Returns
    -------
    str
        The comparisons and where the report is, for the screen.
    """
    limit_threads(settings.n_threads, jobs=how.jobs)
    protocol = protocol_of(settings, how)
    cells = cells_of(how, settings.seed)
    names = {cell.augmenter for cell in cells}
    check_detectors(
        protocol.detectors, weights=ClassWeights.name in names, odds=TunedThresholds.name in names
    )
    makers = [augmenter(name) for name in names]
    settings.check_trainable(for_generator=any(isinstance(maker, NetworkAugmenter) for maker in makers))
    table, test = settings.parts if settings.test else (settings.source.table, None)
    results = Results(how.out, facts_of(table, test, protocol, fidelity=how.fidelity))
    bench = Bench(table, test, protocol, fidelity=how.fidelity)
    held = results.seconds
    if first := next((cell for cell in cells if cell not in held), None):
        tell_part(first, protocol)
        bench.prepare(first)
    uri = prepare_store(settings.experiment)
    sweep_dead_runs()
    with results, benchmark_run(settings, how, results) as parent:
        done = len(results.seconds.keys() & set(cells))
        store = without_secrets(uri)
        say(f"{done} of {len(cells)} cells are done; results in {how.out}, run {parent.id} in {store}")
        try:
            log_lacking(parent, results)
            _compute(cells, bench, results, parent, jobs=how.jobs)
        finally:
            sweep_children(parent.id)
        results.sort()
        text = report(how.out)
        log_report(parent, results.folder)
    return told(text, parent.id)


def report(out: str) -> str:
    """Write the report from a folder's results alone, and give what the screen shows of it."""
    return f"{write_report(Path(out))}\n\nThe whole report: {Path(out) / 'report.md'}"


def _compute(cells: Sequence[Cell], bench: Bench, results: Results, parent: Run, *, jobs: int) -> None:
    """Compute what is missing, keep and log each cell as it is done, and tell how far it is."""
    seconds = results.seconds
    missing = [cell for cell in cells if cell not in seconds]
    countdown, left = Countdown(seconds, jobs=jobs), set(missing)
    begun = computed(
        tell_parts(missing, bench.protocol), bench.frames, jobs=jobs, n_threads=bench.protocol.n_threads,
        name=cell_text,
    )  # fmt: skip
    with closing(begun):
        for number, (cell, frames) in enumerate(begun, start=len(cells) - len(missing) + 1):
            results.add(frames)
            log_cell(parent, cell, frames)
            found = frames["results"]
            countdown.add(cell, float(found["seconds"].iloc[0]))
            left.remove(cell)
            say(
                f"cell {number} of {len(cells)} ({cell_text(cell)}): "
                f"macro-F1 {100 * found['macro_f1'].mean():.1f}{_ahead(*countdown.left(left))}"
            )


def _ahead(seconds: float, unknown: int) -> str:
    """Say what is left: the time of what has been timed before, and how much has not."""
    words = [f"about {duration(seconds)} left"] if seconds else []
    words += [f"{unknown} augmenter{'s' if unknown > 1 else ''} not timed yet"] if unknown else []
    return "; " + ", ".join(words) if words else ""
