"""The winner: the best trials, the defaults and RAW once more, on inner splits that the search never saw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import TrialState

from rareflow.errors import StoreError
from rareflow.evaluation.comparison import RAW
from rareflow.tuning.marks import DEFAULTS, ROLE
from rareflow.tuning.space import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import optuna

    from rareflow.tuning.objective import Objective

__all__ = ["Winner", "choose"]

_FINALISTS = 2  # beside the defaults


@dataclass(frozen=True)
class Winner:
    """What a study concludes.

    Parameters
    ----------
    trial
        Number of the trial chosen among those that forge rows; where none does, of the first one beside RAW.
    candidate
        What it tried.
    val_macro_f1
        Its mean macro-F1 on the fresh splits, 0..1.
    raw_macro_f1
        RAW's on the same splits.
    is_clear
        Whether it leads RAW by more than a standard error.
    """

    trial: int
    candidate: Candidate
    val_macro_f1: float
    raw_macro_f1: float
    is_clear: bool

    @property
    def is_recommended(self) -> bool:
        """Whether forging rows is ahead of the table as it is."""
        return self.val_macro_f1 > self.raw_macro_f1


def choose(
    study: optuna.Study,
    fresh: Objective,
    *,
    values: Callable[[Sequence[Candidate]], Iterable[Sequence[float]]] | None = None,
    on_score: Callable[[str, float], None] = lambda _name, _value: None,
) -> Winner:
    """Score RAW, the defaults and the study's finalists on fresh splits, and choose.

    The best of many noisy values flatters itself; a second, independent score does not. Where rows are few
    that one is noisy too, so a finalist replaces the defaults only if it leads them by more than one standard
    error of their difference, split by split (the rule of one standard error, Breiman, Friedman, Olshen and
    Stone 1984). As the splits share rows, k of them know less than k of new rows would: the error's square is
    the variance over the splits times 1/k plus the ratio of test to training rows (Nadeau and Bengio 2003,
    doi 10.1023/A:1024068626366). Where no trial forges a row for the training part, whose classes may have
    enough, the first one beside RAW is worth what RAW is.

    Parameters
    ----------
    study
        A study with at least one complete trial beside RAW.
    fresh
        An objective over splits of the same training part that the study did not use.
    values
        Gives what candidates are worth on each of those splits, in their order; ``None``:
        `Objective.values` of each.
    on_score
        Called with the name and the mean value of each scored candidate.

    Raises
    ------
    StoreError
        If no trial beside RAW is complete.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    others = [trial for trial in complete if trial.params]
    if not others:
        raise StoreError(
            f"study {study.study_name!r} holds no complete trial beside RAW; raise --n-trials, or see why "
            "its other trials failed"
        )
    counts = fresh.table.class_counts
    forging = [trial for trial in others if not Candidate.from_params(trial.params).is_raw(counts)]
    by_value = sorted(forging, key=lambda trial: (-(trial.value or 0.0), trial.number))
    defaults = [trial for trial in by_value if trial.user_attrs.get(ROLE) == DEFAULTS]
    finalists = defaults + [trial for trial in by_value if trial not in defaults][:_FINALISTS]
    candidates = [Candidate(), *(Candidate.from_params(trial.params) for trial in finalists)]
    names = [RAW, *(_name(trial) for trial in finalists)]
    scored = []
    for name, found in zip(names, (values or partial(map, fresh.values))(candidates), strict=True):
        on_score(name, float(np.mean(found)))
        scored.append(found)
    raw, *scored = scored
    if not finalists:
        mean = float(np.mean(raw))
        return Winner(others[0].number, Candidate.from_params(others[0].params), mean, mean, is_clear=False)
    leads, best = partial(_leads, test_ratio=fresh.test_ratio), 0
    for place in range(1, len(finalists)):
        best = place if leads(scored[place], scored[best]) else best
    return Winner(
        finalists[best].number,
        candidates[1 + best],
        float(np.mean(scored[best])),
        float(np.mean(raw)),
        is_clear=leads(scored[best], raw),
    )


def _name(trial: optuna.trial.FrozenTrial) -> str:
    role = trial.user_attrs.get(ROLE)
    return f"trial {trial.number} ({role})" if role else f"trial {trial.number}"


def _leads(values: Sequence[float], others: Sequence[float], *, test_ratio: float) -> bool:
    """Tell whether values lead others by more than one standard error, split by split; one split has none."""
    lead = np.subtract(values, others)
    error = lead.std(ddof=1) * np.sqrt(1 / len(lead) + test_ratio) if len(lead) > 1 else 0.0
    return bool(lead.mean() > error)
