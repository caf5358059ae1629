"""The winner: the best trials and RAW once more, on inner splits that the search never saw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from rareflow.errors import StoreError
from rareflow.tuning.space import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import optuna

    from rareflow.tuning.objective import Objective

__all__ = ["Winner", "choose"]

_FINALISTS = 2


@dataclass(frozen=True)
class Winner:
    """What a study concludes.

    Parameters
    ----------
    trial
        Number of the best trial that forges rows; where none does, of the first one beside RAW.
    candidate
        What it tried.
    val_macro_f1
        Its mean macro-F1 on the fresh splits, 0..1.
    raw_macro_f1
        RAW's on the same splits.
    """

    trial: int
    candidate: Candidate
    val_macro_f1: float
    raw_macro_f1: float

    @property
    def augment(self) -> bool:
        """Whether the study says that forging rows beats the table as it is."""
        return self.val_macro_f1 > self.raw_macro_f1


def choose(
    study: optuna.Study,
    fresh: Objective,
    *,
    means: Callable[[Sequence[Candidate]], Iterable[float]] | None = None,
    on_score: Callable[[str, float], None] = lambda _name, _value: None,
) -> Winner:
    """Score the study's finalists and RAW on fresh splits and give the best finalist beside RAW.

    The best of many noisy values flatters itself; a second, independent score does not. Where no trial forges
    a row for the training part, whose classes may have enough, the first one beside RAW is worth what RAW is.

    Parameters
    ----------
    study
        A study with at least one complete trial beside RAW.
    fresh
        An objective over splits of the same training part that the study did not use.
    means
        Gives what candidates are worth on those splits, in their order; ``None``: `Objective.mean` of each.
    on_score
        Called with the name and the value of each scored candidate.

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
    finalists = sorted(forging, key=lambda trial: (-(trial.value or 0.0), trial.number))[:_FINALISTS]
    candidates = [Candidate(), *(Candidate.from_params(trial.params) for trial in finalists)]
    names = ["RAW", *(f"trial {trial.number}" for trial in finalists)]
    values = []
    for name, value in zip(names, (means or partial(map, fresh.mean))(candidates), strict=True):
        on_score(name, value)
        values.append(value)
    raw, *scored = values
    if not finalists:
        return Winner(others[0].number, Candidate.from_params(others[0].params), raw, raw)
    value, best = max(zip(scored, finalists, strict=True), key=lambda pair: pair[0])
    return Winner(best.number, Candidate.from_params(best.params), value, raw)
