"""`rareflow tune`: from a labelled table to a tuned, tracked and registered generator."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rareflow.databases import sqlite_file
from rareflow.errors import ConfigError, StoreError
from rareflow.redaction import without_secrets
from rareflow.tracking.leftovers import sweep_dead_runs
from rareflow.tracking.outage import ServerAwayError, ask
from rareflow.tracking.registry import MODEL_CARD, RECOMMENDED, log_generator, register
from rareflow.tracking.runs import Run, parent_run
from rareflow.tracking.spooling.spool import spooled_runs
from rareflow.tracking.store import is_missing, prepare_registry, prepare_store
from rareflow.tuning.plots import study_figures, trial_table
from rareflow.tuning.study import enqueue_references, finished, open_study
from rareflow.tuning.winner import Winner, choose
from rareflow.workflows.cluster import check_scheduler
from rareflow.workflows.fitting import fit_generator
from rareflow.workflows.outcome import told
from rareflow.workflows.progress import say
from rareflow.workflows.quality import log_quality
from rareflow.workflows.scoring import log_data, score
from rareflow.workflows.settings import Settings, check_launcher, limit_threads
from rareflow.workflows.studying.briefing import Briefing
from rareflow.workflows.studying.cluster import work_on_cluster
from rareflow.workflows.studying.conclusion import conclusion
from rareflow.workflows.studying.launchers import values_in_processes, work_in_processes
from rareflow.workflows.studying.model_card import model_card
from rareflow.workflows.studying.post import Post
from rareflow.workflows.studying.task import Task

if TYPE_CHECKING:
    import optuna

    from rareflow.evaluation.comparison import Comparison
    from rareflow.generators.portable import PortableGenerator
    from rareflow.tracking.registry import Registered
    from rareflow.workflows.quality import Quality

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
    launcher
        ``local``: the processes are this machine's; ``dask``: a cluster's.
    scheduler
        Address of the cluster's scheduler, for ``dask`` only.

    Raises
    ------
    ConfigError
        If launcher and scheduler do not go together.
    """

    n_trials: int
    repeats: int
    tune_rows: int
    jobs: int
    storage: str = field(repr=False)
    study_name: str
    launcher: str
    scheduler: str

    def __post_init__(self) -> None:
        check_launcher(self.launcher, self.scheduler)


def run(settings: Settings, how: StudySettings) -> str:
    """Tune, choose, train the winner on the whole training part, score it once on the test part, register it.

    Nothing is written before data, options and stores have passed their checks.

    Returns
    -------
    str
        What the study concludes, for the screen.
    """
    jobs = 1 if how.launcher == "dask" else how.jobs  # of this machine
    limit_threads(settings.n_threads, jobs=jobs)
    settings.check_trainable()
    _, test = settings.parts
    task = Task.read(settings, repeats=how.repeats, tune_rows=how.tune_rows)
    if how.launcher == "dask":
        check_scheduler(how.scheduler)
    study, uri = _open(task, settings, how)
    sweep_dead_runs()
    params = settings.params | asdict(replace(how, storage=without_secrets(how.storage)))
    tags = settings.tags | {"protocol": task.protocol, "study": study.study_name}
    with parent_run(f"tune {task.table.name}", params=params, tags=tags) as parent:
        log_data(parent, settings)
        _search(study, task, settings, how, parent, uri)
        _log_study(parent, study, task)
        say(f"Scoring RAW, the defaults and the finalists on fresh inner splits ({how.repeats}) ...")
        winner = choose(
            study,
            task.fresh,
            values=partial(values_in_processes, task.fresh, jobs=jobs) if jobs > 1 else None,
            on_score=lambda who, value: say(f"{who}: val_macro_f1 {value:.4f}"),
        )
        _log_winner(parent, winner)
        generator = fit_generator(
            task.train, winner.candidate.generator, seed=settings.seed, device=settings.device
        ).generator_
        class_rows = winner.candidate.class_rows
        comparison = score(parent, settings, task.train, test, generator, class_rows)
        quality = log_quality(parent, task.train, test, generator, class_rows, seed=settings.seed)
        registered = _register(parent, task, tags, winner, generator, comparison, quality, uri)
    return told(
        conclusion(task.train.class_counts, settings.source, winner, comparison, registered, uri),
        parent.id,
        after="; the same command afterwards registers the generator",
    )


def _open(task: Task, settings: Settings, how: StudySettings) -> tuple[optuna.Study, str]:
    """Open the study and the tracking store; where the second is refused, the first leaves no new file."""
    new_file = sqlite_file(how.storage) if is_missing(how.storage) else None
    study = open_study(how.storage, how.study_name or task.name, seed=settings.seed)
    try:
        _claim(study, task.facts)
        prepare_registry()
        uri = prepare_store(settings.experiment)
    except StoreError:
        if new_file:
            Path(new_file).unlink()
        raise
    return study, uri


def _claim(study: optuna.Study, facts: dict[str, str]) -> None:
    """Mark a new study with what it is about; refuse one that is about something else."""
    held = study.user_attrs
    is_new = not study.get_trials(deepcopy=False)
    for key, value in facts.items():
        if held.get(key, value if is_new else None) != value:
            raise ConfigError(
                f"--study-name {study.study_name!r} names a study with another {key.replace('_', ' ')} "
                f"({held.get(key)!r}, here {value!r}); choose another name"
            )
        study.set_user_attr(key, value)


def _search(
    study: optuna.Study, task: Task, settings: Settings, how: StudySettings, parent: Run, uri: str
) -> None:
    """Open the study to workers, have the trials run that are still wanted, and close what they left open."""
    counts = task.train.class_counts
    say(
        f"Study {study.study_name}: {finished(study)} of {how.n_trials} trials done; {len(task.train):,} "
        f"training rows in {len(counts)} classes; run {parent.id} in {without_secrets(uri)}"
    )
    enqueue_references(study, counts)
    briefing = Briefing.publish(
        study,
        settings,
        repeats=how.repeats,
        tune_rows=how.tune_rows,
        n_trials=how.n_trials,
        uri=uri,
        run_id=parent.id,
    )
    post = Post(how.storage, study.study_name, how.n_trials, uri, briefing.runs)
    with post.refusals():
        try:
            _staff(post, study, task, how)
            post.settle(study)
        finally:
            sweep_dead_runs()
            post.sweep(study)
    if finished(study) < how.n_trials:
        raise StoreError(
            f"only {finished(study)} of {how.n_trials} trials of study {study.study_name!r} ended well; the "
            "others' runs in MLflow say why, and the same command continues the study"
        )


def _staff(post: Post, study: optuna.Study, task: Task, how: StudySettings) -> None:
    """Do this command's share of the trials: in this process, in several, or on a cluster."""
    objective = task.search
    if how.launcher == "dask":
        work_on_cluster(
            post,
            scheduler=how.scheduler,
            jobs=how.jobs,
            n_threads=objective.n_threads,
            device=objective.device,
            done=lambda: finished(study),
        )
    elif how.jobs == 1:
        post.serve(study, objective)
    else:
        work_in_processes(post, objective, jobs=how.jobs)


def _log_study(parent: Run, study: optuna.Study, task: Task) -> None:
    """Log the trial table and the study's figures."""
    parent.log_text(trial_table(study).to_csv(index=False), "study/trials.csv")
    for name, figure in study_figures(study, task.train.class_counts):
        parent.log_figure(figure, f"study/{name}")


def _log_winner(parent: Run, winner: Winner) -> None:
    """Log what the study found best."""
    parent.log_metrics({"val_macro_f1": winner.val_macro_f1, "val_macro_f1_raw": winner.raw_macro_f1})
    parent.log_params({f"best_{key}": value for key, value in winner.candidate.generator.items()})
    parent.log_params({f"best_class_rows/{key}": value for key, value in winner.candidate.class_rows.items()})
    parent.set_tag("best_trial", winner.trial)
    parent.set_tag("verdict", "augment" if winner.is_recommended else "leave the table as it is")


def _register(
    parent: Run,
    task: Task,
    tags: dict[str, str],
    winner: Winner,
    generator: PortableGenerator,
    comparison: Comparison,
    quality: Quality,
    uri: str,
) -> Registered | None:
    """Register the winner under the name of its data, described by its card; not while a part is spooled."""
    card = model_card(task, winner, comparison, quality)
    parent.log_text(card, MODEL_CARD)
    if spooled_runs(parent.id):
        return None
    say("Registering the generator ...")
    try:
        return ask(
            uri,
            lambda: register(
                log_generator(generator, class_rows=winner.candidate.class_rows),
                f"rareflow-{task.table.name}",
                val_macro_f1=winner.val_macro_f1,
                data_digest=task.table.digest,
                protocol=task.protocol,
                card=card,
                tags={**tags, RECOMMENDED: str(winner.is_recommended).lower()},
            ),
        )
    except ServerAwayError as err:
        if err.uri != uri:  # a registry of its own
            raise StoreError(
                f"{err}; if it is up: an MLflow server registers models of its own tracking store alone and "
                "answers 500 to others, so unset MLFLOW_REGISTRY_URI first"
            ) from err
        parent.spooled()  # so that the command says it, whether or not the server is back by its end
        return None
