"""What a study looks like: history, importances, parallel coordinates, and the trial table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import optuna
from optuna.trial import TrialState

from rareflow.tuning.study import candidate_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

__all__ = ["study_figures", "trial_table"]

_ENOUGH = 2  # complete trials, for a plot that compares them


def trial_table(study: optuna.Study) -> pd.DataFrame:
    """Give one row a trial: number, value, state, duration, parameters, role."""
    return study.trials_dataframe(attrs=("number", "value", "state", "duration", "params", "user_attrs"))


def study_figures(study: optuna.Study) -> Iterator[tuple[str, Any]]:
    """Give each plot twice: for a PNG (matplotlib) and for a page (plotly), by file name.

    Only complete trials that forge rows are drawn where parameters are compared: RAW has none.
    """
    forging = optuna.create_study(direction="maximize")
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    forging.add_trials([trial for trial in complete if not candidate_of(trial).is_raw])
    yield from _pair("optimisation_history", "plot_optimization_history", study)
    if len(forging.trials) >= _ENOUGH:
        yield from _pair("parallel_coordinates", "plot_parallel_coordinate", forging)
        yield from _pair("importances", "plot_param_importances", forging)


def _pair(name: str, plot: str, study: optuna.Study) -> Iterator[tuple[str, Any]]:
    drawn: Callable[..., Any] = getattr(optuna.visualization, plot)
    yield f"{name}.html", drawn(study)
    with mpl.rc_context({"figure.constrained_layout.use": True, "figure.figsize": (10, 6)}):
        axes = getattr(optuna.visualization.matplotlib, plot)(study)
    yield f"{name}.png", axes.figure
