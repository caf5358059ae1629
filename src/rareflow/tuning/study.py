"""The study: made, resumed or joined, with RAW and the defaults as its first trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from optuna.trial import TrialState

from rareflow.errors import StoreError
from rareflow.tuning.marks import AS_IT_IS, DEFAULTS, DONE, ROLE
from rareflow.tuning.sampler import ResumableSampler
from rareflow.tuning.space import default_candidate, params_of
from rareflow.tuning.storage import experimental, open_storage, refusals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["enqueue_references", "find_study", "finished", "open_study"]


def open_study(storage: str, name: str, *, seed: int, seat: Sequence[int] = ()) -> optuna.Study:
    """Open a named study, or make it; trials whose process is heard of no more are failed and queued anew.

    Optuna's messages below an error are silenced: the observer hears of every trial.

    Parameters
    ----------
    storage
        SQLAlchemy URL of Optuna's own database.
    name
        The study's name.
    seed
        Seed of the sampler, >= 0.
    seat
        What tells this process from others that join the study at the same moment.

    Raises
    ------
    StoreError
        If the storage cannot be opened or written; its password is not shown.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with refusals(storage), experimental():
        study = optuna.create_study(
            storage=open_storage(storage),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
        )
        optuna.storages.fail_stale_trials(study)
        study.sampler = ResumableSampler(seed, seat)
    return study


def find_study(storage: str, name: str = "") -> optuna.Study:
    """Find a study that exists, to read what it is about.

    Parameters
    ----------
    storage
        SQLAlchemy URL of Optuna's own database, which exists.
    name
        The study's name; empty: the only one that the storage holds.

    Raises
    ------
    StoreError
        If the storage cannot be opened, or does not hold such a study; the message names those that it holds.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    opened = open_storage(storage)
    with refusals(storage):
        held = sorted(optuna.get_all_study_names(opened))
        if name in held or (not name and len(held) == 1):
            return optuna.load_study(study_name=name or held[0], storage=opened)
    there = f"it holds {', '.join(map(repr, held))}" if held else "it holds none"
    wanted = f"no study --study-name {name!r}" if name else "not one study alone, so --study-name is needed"
    raise StoreError(
        f"the study's storage holds {wanted}; {there}; `rareflow tune` with this --storage makes one and "
        "says its name"
    )


def finished(study: optuna.Study) -> int:
    """Count the trials that count towards the target: complete or pruned."""
    return len(study.get_trials(deepcopy=False, states=DONE))


def enqueue_references(study: optuna.Study, class_counts: Mapping[str, int]) -> None:
    """Queue RAW and the defaults, first of all trials, unless they are done, running or queued."""
    live = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)
    present = {trial.user_attrs.get(ROLE) for trial in study.get_trials(deepcopy=False, states=live)}
    if AS_IT_IS not in present:
        study.enqueue_trial({}, user_attrs={ROLE: AS_IT_IS})
    if DEFAULTS not in present:
        study.enqueue_trial(params_of(default_candidate(class_counts)), user_attrs={ROLE: DEFAULTS})
