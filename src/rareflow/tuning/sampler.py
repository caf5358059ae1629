"""The sampler of a study: TPE, which draws the same whether the study was interrupted before or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler, TPESampler

from rareflow.tuning.marks import DONE, FAULT
from rareflow.tuning.storage import experimental

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

__all__ = ["ResumableSampler"]

_STARTUP_TRIALS = 8  # drawn at random before the sampler learns; RAW and the defaults count among them


class ResumableSampler(BaseSampler):
    """TPE (Bergstra et al., 2011) with a random source of its own for each trial.

    The source depends on the seed and on how many trials have come to an end of their own, by which a trial
    that was interrupted is drawn again as it was: a study that one process works on holds the same trials
    however often it was cut off.

    Parameters
    ----------
    seed
        Seed, >= 0.
    seat
        What tells this process from others that join the study at the same moment.
    """

    def __init__(self, seed: int, seat: Sequence[int] = ()) -> None:
        self._seed, self._seat = seed, seat
        self._tpe: BaseSampler

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed the source of a trial."""
        held = study.get_trials(deepcopy=False)
        drawn = sum(each.state in DONE or FAULT in each.user_attrs for each in held)
        entropy = np.random.SeedSequence([self._seed, drawn, *self._seat])
        with experimental():
            # In groups, because RAW has no parameters: the space that all trials share is empty.
            self._tpe = TPESampler(
                seed=int(entropy.generate_state(1)[0]), n_startup_trials=_STARTUP_TRIALS, group=True
            )
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Give the parameters that are drawn together."""
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw parameters together."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - the distribution's own
        """Draw one parameter."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)
