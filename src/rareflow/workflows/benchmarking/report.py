"""A benchmark's report and figures, made from the files of its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

import pandas as pd

from rareflow.evaluation.balance import CLASS_ROWS
from rareflow.evaluation.benchmark_plots import class_figure, forest_figure, scarcity_figure
from rareflow.evaluation.comparison import OURS, RAW
from rareflow.evaluation.published import METRICS, PUBLISHED, PublishedTable
from rareflow.evaluation.statistics import average_ranks, best_others, compare_each, scores_by_seed
from rareflow.evaluation.tables import (
    amount_table,
    class_table,
    comparison_frame,
    comparison_table,
    fidelity_table,
    macro_frame,
    macro_table,
)
from rareflow.workflows.benchmarking.plan import ALL, splits_text
from rareflow.workflows.benchmarking.results import read_facts, read_frames
from rareflow.workflows.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

__all__ = ["write_report"]

_DPI = 130


@dataclass(frozen=True, eq=False)
class _Setting:
    """A number of shots.

    Parameters
    ----------
    shots
        As the files have it.
    frames
        What they hold of it, by file.
    published
        The paper's figures of the same real data, which are of all rows.
    tested
        Whether seeds differ in their data: where their randomness alone varies there is no interval and no p.
    """

    shots: str
    frames: Mapping[str, pd.DataFrame]
    published: PublishedTable | None
    tested: bool

    @property
    def title(self) -> str:
        """Name it."""
        return "All rows" if self.shots == ALL else f"{self.shots} shots"

    @property
    def results(self) -> pd.DataFrame:
        """The scores."""
        return self.frames["results"]


def write_report(folder: Path) -> str:
    """Write report, its main tables and figures from a folder's results; give the comparisons for the screen.

    These are ``report.md``, ``macro.csv``, ``comparison.csv`` and ``figures/``.

    Raises
    ------
    ConfigError
        If the folder holds no whole cell.
    """
    facts, frames = read_facts(folder), read_frames(folder)
    settings = list(_settings(facts, frames))
    (folder / "figures").mkdir(exist_ok=True)
    drawn = []
    for name, figure in _figures(frames["results"], settings):
        figure.savefig(folder / "figures" / f"{name}.png", dpi=_DPI)
        drawn.append(name)
    write_text(_report(facts, frames["results"], settings, drawn), folder / "report.md")
    for name, table in _tables(settings):
        write_text(table.to_csv(index=False, float_format="%.6g"), folder / f"{name}.csv")
    return "\n\n".join(map(_shown, settings))


def _settings(facts: dict[str, Any], frames: dict[str, pd.DataFrame]) -> Iterator[_Setting]:
    """Part what the files hold by shots, in their order."""
    for shots in map(str, dict.fromkeys(frames["results"]["shots"])):
        own = {name: frame[frame["shots"] == shots] for name, frame in frames.items()}
        published = PUBLISHED.get(facts["table"]) if shots == ALL and not facts["simulated"] else None
        yield _Setting(shots, own, published, tested=not _is_same_data(facts, shots))


def _is_same_data(facts: dict[str, Any], shots: str) -> bool:
    """Tell whether all seeds have the same training and test rows, so that their randomness alone varies."""
    if not facts["test_digest"]:
        return False
    _, *rarer = sorted(facts["class_counts"].values(), reverse=True)
    return shots == ALL or int(shots) >= max(rarer, default=0)


def _shown(setting: _Setting) -> str:
    """Give what the screen shows of a setting."""
    why = "" if setting.tested else " (the same data for every seed: no interval, no p)"
    return f"{setting.title}{why}:\n{comparison_table(setting.results, tested=setting.tested)}"


def _figures(results: pd.DataFrame, settings: Sequence[_Setting]) -> Iterator[tuple[str, Figure]]:
    """Draw every figure, each with its file's name."""
    yield "scarcity", scarcity_figure(results)
    for setting in settings:
        scores = scores_by_seed(setting.results)
        over_raw = compare_each(scores, dict.fromkeys(scores.columns, RAW), tested=setting.tested)
        others = best_others(scores)
        over_best = compare_each(scores, others, tested=setting.tested)
        for name, found, against in (("raw", over_raw, RAW), ("best", over_best, "the best other augmenter")):
            if found:
                title = f"{setting.title}: against {against}"
                yield f"forest-{name}-{setting.shots}", forest_figure(list(found.values()), title)
        if over_raw:
            after = OURS if OURS in over_raw else others[RAW]
            title = f"{setting.title}: F1 by class"
            yield f"classes-{setting.shots}", class_figure(setting.frames["classes"], RAW, after, title)


def _tables(settings: Sequence[_Setting]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the tables that others may want to read by program, each with its file's name."""
    macro = {each.shots: macro_frame(each.results, each.published) for each in settings}
    yield "macro", pd.concat(macro, names=["shots"]).reset_index("shots")
    comparison = {each.shots: comparison_frame(each.results, tested=each.tested) for each in settings}
    yield "comparison", pd.concat(comparison, names=["shots"]).reset_index("shots")


def _report(
    facts: dict[str, Any], results: pd.DataFrame, settings: Sequence[_Setting], drawn: Sequence[str]
) -> str:
    """Write the report with the figures that were drawn."""
    parts = [f"# Benchmark: {facts['table']}", _protocol(facts, results, settings), _image("scarcity")]
    for setting in settings:
        parts += _section(setting)
        parts += [_image(name) for name in drawn if name.endswith(f"-{setting.shots}")]
    return "\n\n".join(parts) + "\n"


def _image(name: str) -> str:
    return f"![{name.replace('-', ' ')}](figures/{name}.png)"


def _protocol(facts: dict[str, Any], results: pd.DataFrame, settings: Sequence[_Setting]) -> str:
    """Say how the figures came about."""
    counts = facts["class_counts"]
    data = "simulated: no row was measured" if facts["simulated"] else f"digest `{facts['digest'][:12]}`"
    split = (
        _test_part(facts)
        if facts["test_digest"]
        else f"a {facts['split']} split for each seed, test size {facts['test_size']:g}"
    )
    seeds = results.groupby(["shots", "augmenter"])["seed"].nunique()
    n_seeds = str(seeds.max()) if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    return f"""\
- Detectors: {", ".join(facts["detectors"])}, each at its library's defaults.
- Data: {sum(counts.values()):,} rows in {len(counts)} classes ({data}); {split}; seeds of an augmenter: \
{n_seeds}.
- Shots: every class but the largest keeps so many random training rows. The test part is never cut.
- Amount: how far an augmenter moves a table towards balance (0: as it is, 1: full balance). It is the one \
whose mean over the detectors is best on {splits_text(facts["repeats"])} of the training part, at most \
{facts["inner_rows"]:,} rows of it. An augmenter with one amount has no choice; to {OURS} full \
balance is {CLASS_ROWS} rows of each class, or an eighth of the largest one's if that is more. The test part \
scores once.
- Scores are macro averages over the classes; mean ± standard deviation over the seeds. With n seeds no p \
falls below 2 to the power of 1 - n, before Holm's correction.
{_covered(facts, settings)}""".rstrip()


def _test_part(facts: dict[str, Any]) -> str:
    """Say what the official test part holds, and what was done to it if the folder knows."""
    notes = "; ".join(note.removesuffix(".") for note in facts.get("test_notes") or ())
    rows = f"an official test part of {sum(facts['test_class_counts'].values()):,} rows"
    return f"{rows} ({notes})" if notes else rows


def _covered(facts: dict[str, Any], settings: Sequence[_Setting]) -> str:
    """Say what intervals and p cover: seeds share a table, or a test part, or all of their data."""
    if not facts["test_digest"]:
        return (
            "- Seeds part the same table in other ways, so that their parts overlap: intervals and p speak "
            "of this table, not of traffic elsewhere."
        )
    same = [each.title for each in settings if not each.tested]
    lines = []
    if len(same) < len(settings):
        lines.append(
            "- The test part is the same for every seed: intervals and p cover the choice of training rows "
            "and the randomness of augmenters and detectors, not the choice of test rows."
        )
    if same:
        lines.append(
            f"- {', '.join(same)}: training and test part are the same for every seed, and only the "
            "randomness of augmenters and detectors varies. That tells nothing of other rows, so there is no "
            "interval, no p and no test of ranks."
        )
    return "\n".join(lines)


def _section(setting: _Setting) -> Iterator[str]:
    """Write what a setting gave; without intervals and tests where the seeds allow none."""
    results = setting.results
    yield f"## {setting.title}"
    yield macro_table(results, setting.published)
    if setting.published:
        yield _note(setting.published)
    if setting.tested:
        yield (
            "Macro F1, mean over the detectors. Differences in points with 95 % intervals, paired by seed; p "
            "of Wilcoxon's signed-rank test after Holm's correction over the column."
        )
        yield comparison_table(results)
        yield _ranks(results)
    else:
        yield (
            "Macro F1, mean over the detectors. Differences in points, paired by seed; no interval and no p, "
            "as the data are the same for every seed."
        )
        yield comparison_table(results, tested=False)
    yield "F1 by class, mean over detectors and seeds:"
    yield class_table(setting.frames["classes"])
    yield "Amounts chosen, median over the seeds, and the mean time of a cell, choice included:"
    yield amount_table(results)
    if len(setting.frames.get("fidelity", ())):
        yield (
            "Forged rows of an augmenter beside held-out real ones, mean of the seeds in which it forged, at "
            "the amount chosen. "
            "c2st auc: how well a forest tells the two apart (0.5: not at all). copies, near copies: shares "
            "of rows that equal a training row, or nearly; the same of real held-out rows beside it. "
            "membership auc: how well an attacker tells training rows from held-out ones (0.5: not at all)."
        )
        yield fidelity_table(setting.frames["fidelity"], results)


def _ranks(results: pd.DataFrame) -> str:
    """Say whether the augmenters rank alike."""
    scores = scores_by_seed(results)
    found = average_ranks(scores)
    if found is None or isnan(found.p):
        return "Too few seeds or augmenters to test whether all rank alike."
    ranked = len(found.ranks)
    who = "all" if ranked == scores.shape[1] else f"the {ranked} augmenters with most seeds"
    return (
        f"Friedman's test that {who} rank alike: p = {found.p:.3g} over {found.seeds} seeds; mean ranks that "
        f"lie more than {found.critical_difference:.2f} apart differ at the 5 % level (Nemenyi)."
    )


def _note(published: PublishedTable) -> str:
    """Say where the published figures are from and which of them cannot be."""
    text = (
        f"*published*: the paper's {published.title}. Its data, split and loader are not ours: compare the "
        "order of the augmenters, not the figures."
    )
    if not published.impossible:
        return text
    rows = []
    for augmenter, detector in published.impossible:
        precision, recall, f1 = (published.value(augmenter, detector, metric) for metric in METRICS)
        rows.append(f"{augmenter} {detector.upper()} (precision {precision}, recall {recall}, F1 {f1})")
    return (
        f"{text} As macro averages over the same classes some of its figures are arithmetically impossible: "
        f"{', '.join(rows)}. A class's F1 never exceeds the mean of its precision and recall, so neither do "
        "their averages."
    )
