"""`rareflow tune`: from a labelled table to a tuned, tracked and registered generator."""

from __future__ import annotations

import hashlib
import multiprocessing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rareflow.data.card import data_card
from rareflow.data.splits import inner_splits
from rareflow.errors import ConfigError, RareflowError, StoreError
from rareflow.evaluation.comparison import compare
from rareflow.tracking.registry import log_generator, register
from rareflow.tracking.runs import Run, parent_run, sweep_children
from rareflow.tracking.store import prepare_store, without_secrets
from rareflow.tuning.objective import Objective
from rareflow.tuning.plots import study_figures, trial_table
from rareflow.tuning.study import enqueue_references, finished, open_study, work
from rareflow.tuning.winner import Winner, choose
from rareflow.workflows.fitting import fit_generator
from rareflow.workflows.model_card import model_card
from rareflow.workflows.progress import listen, say
from rareflow.workflows.report import log_comparison, text_table
from rareflow.workflows.settings import Settings, limit_threads
from rareflow.workflows.trials import Trials

if TYPE_CHECKING:
    import optuna

    from rareflow.data.table import Table
    from rareflow.evaluation.comparison import Comparison
    from rareflow.tracking.registry import Registered

__all__ = ["StudySettings", "run"]


@dataclass(frozen=True)
class StudySettings:
    """The settings of a study.

    Parameters
    ----------
    n_trials
        Trials wanted in all, those of earlier sessions counted, >= 2 (RAW is the first).
    repeats
        Inner splits a trial is scored on, and fresh ones its finalists are, >= 1.
    tune_rows
        Training rows used in a trial at most; the largest classes are thinned first.
    jobs
        Processes, >= 1.
    storage
        SQLAlchemy URL of Optuna's database.
    study_name
        Empty: named after data and protocol, so that the same command continues it.
    """

    n_trials: int = 20
    repeats: int = 3
    tune_rows: int = 20_000
    jobs: int = 1
    storage: str = "sqlite:///optuna.db"
    study_name: str = ""

    def __post_init__(self) -> None:
        for name, least in (("n_trials", 2), ("repeats", 1), ("tune_rows", 2), ("jobs", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"--{name.replace('_', '-')} must be at least {least}, not {getattr(self, name)}")


def run(settings: Settings, how: StudySettings) -> str:
    """Tune, choose, train the winner on the whole training part, score it once on the test part, register it.

    Returns
    -------
    str
        What the study concludes, for the screen.
    """
    limit_threads(settings.n_threads)
    say(f"Reading {settings.source.data} ...")
    train, test = settings.parts
    table = settings.source.table
    protocol = (
        f"{settings.protocol}; validation on {how.repeats} inner splits of at most {how.tune_rows} training rows"
    )
    name = how.study_name or _study_name(table, protocol)
    search, fresh = _objectives(train, settings, how)
    uri = prepare_store(settings.experiment)
    tags = {
        "data": table.name,
        "data_digest": table.digest,
        "simulated": str(table.simulated).lower(),
        "protocol": protocol,
        "study": name,
    }
    with parent_run(f"tune {table.name}", tags=tags) as parent:
        parent.log_text(data_card(table), "data_card.md")
        for part, context in ((train, "training"), (test, "test")):
            parent.log_dataset(
                part.frame,
                name=table.name,
                digest=part.digest,
                targets=part.label,
                context=context,
                source=settings.source.data,
            )
        study = open_study(how.storage, name, seed=settings.seed)
        _claim(study, {"data_digest": table.digest, "protocol": protocol})
        enqueue_references(study, train.class_counts)
        say(
            f"Study {name}: {finished(study)} of {how.n_trials} trials done; {len(train):,} training rows in "
            f"{len(train.class_counts)} classes; run {parent.id} in {without_secrets(uri)}"
        )
        try:
            _work(study, search, how, parent, uri, settings)
        finally:
            sweep_children(parent.id)
            _log_study(parent, study)
        say(f"Scoring RAW and the finalists on {how.repeats} fresh inner splits ...")
        winner = choose(study, fresh, on_score=lambda who, value: say(f"{who}: val_macro_f1 {value:.4f}"))
        generator = fit_generator(train, winner.candidate.generator, seed=settings.seed, device=settings.device)
        comparison = compare(
            train,
            test,
            generator.generator_,
            winner.candidate.growth,
            seed=settings.seed,
            n_threads=settings.n_threads,
            on_score=lambda who: say(f"Scoring {who} on the test part ..."),
        )
        val = {"val_macro_f1": winner.val_macro_f1, "val_macro_f1_raw": winner.raw_macro_f1}
        parent.log_metrics(val)
        parent.log_params({f"best_{key}": value for key, value in winner.candidate.generator.items()})
        parent.set_tag("verdict", "augment" if winner.augment else "leave the table as it is")
        log_comparison(parent, comparison)
        card = model_card(
            train,
            digest=table.digest,
            protocol=protocol,
            val={"RAW": winner.raw_macro_f1, "rareflow": winner.val_macro_f1},
            growth=winner.candidate.growth,
            params=winner.candidate.generator,
            comparison=comparison,
        )
        parent.log_text(card, "model_card.md")
        registered = register(
            log_generator(generator.generator_, growth=winner.candidate.growth),
            f"rareflow-{table.name}",
            val_macro_f1=winner.val_macro_f1,
            data_digest=table.digest,
            protocol=protocol,
            card=card,
            tags={**tags, "recommended": str(winner.augment).lower()},
        )
        return _conclusion(winner, comparison, registered)


def _study_name(table: Table, protocol: str) -> str:
    """Name a study after its data and its protocol: the same command finds the same study again."""
    return f"{table.name}-{hashlib.sha256((table.digest + protocol).encode()).hexdigest()[:10]}"


def _claim(study: optuna.Study, facts: dict[str, str]) -> None:
    """Mark a new study with what it is about; refuse one that is about something else."""
    for key, value in facts.items():
        if study.user_attrs.setdefault(key, value) != value:
            raise ConfigError(
                f"--study-name {study.study_name!r} names a study with another {key.replace('_', ' ')} "
                f"({study.user_attrs[key]}); choose another name"
            )
        study.set_user_attr(key, value)


def _objectives(train: Table, settings: Settings, how: StudySettings) -> tuple[Objective, Objective]:
    """Give the objective of the search, and one over fresh splits for its finalists."""
    splits = inner_splits(
        train, settings.split, repeats=2 * how.repeats, seed=settings.seed, max_rows=how.tune_rows
    )
    return tuple(  # type: ignore[return-value]
        Objective(train, part, settings.seed, settings.n_threads, settings.device)
        for part in (splits[: how.repeats], splits[how.repeats :])
    )


def _work(
    study: optuna.Study, objective: Objective, how: StudySettings, parent: Run, uri: str, settings: Settings
) -> None:
    """Run the trials, here or in processes of their own."""
    if how.jobs == 1:
        observer = Trials(parent.id, uri, study, n_trials=how.n_trials, jobs=1)
        work(study, objective, how.n_trials, observer)
    else:
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(target=_worker, args=(objective, how, study.study_name, parent.id, uri, settings.seed + i))
            for i in range(how.jobs)
        ]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        except BaseException:
            for worker in workers:  # Ctrl-C reaches them too; they close their trials and leave
                worker.join(timeout=30)
                worker.terminate()
            raise
    if finished(study) < how.n_trials:
        raise StoreError(
            f"only {finished(study)} of {how.n_trials} trials of study {study.study_name!r} ended well; the others' "
            "runs in MLflow say why, and the same command continues the study"
        )


def _worker(objective: Objective, how: StudySettings, name: str, parent_id: str, uri: str, seed: int) -> None:
    """Work on a study in a process of its own."""
    listen()
    limit_threads(objective.n_threads)
    prepare_store(None, uri=uri)
    study = open_study(how.storage, name, seed=seed)
    try:
        work(study, objective, how.n_trials, Trials(parent_id, uri, study, n_trials=how.n_trials, jobs=how.jobs))
    except KeyboardInterrupt:
        return
    except RareflowError as err:
        raise SystemExit(f"rareflow: {err}") from err


def _log_study(parent: Run, study: optuna.Study) -> None:
    """Log the trial table and the study's figures."""
    parent.log_text(trial_table(study).to_csv(index=False), "study/trials.csv")
    for name, figure in study_figures(study):
        parent.log_figure(figure, f"study/{name}")


def _conclusion(winner: Winner, comparison: Comparison, registered: Registered) -> str:
    """Say what came out: the verdict, the test scores, what was registered and how to use it."""
    verdict = (
        f"Trial {winner.trial} beats the table as it is"
        if winner.augment
        else f"No augmentation is best here: RAW is not beaten by trial {winner.trial}, the best that forges rows"
    )
    return f"""\
{verdict}: val_macro_f1 {winner.val_macro_f1:.4f} against RAW's {winner.raw_macro_f1:.4f}.

Test part, scored once:
{text_table(comparison)}

Registered {registered.name} version {registered.version} as {registered.alias} ({registered.reason}).
Balance a table with it:  rareflow augment --data FILE --model {registered.uri} --out balanced.parquet
See the runs:             mlflow ui"""
