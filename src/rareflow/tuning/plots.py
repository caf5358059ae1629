"""What a study looks like: history, importances, parallel coordinates, and the trial table."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import optuna
from optuna.trial import TrialState

from rareflow.tuning.study import candidate_of, experimental

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
    plt.switch_backend("agg")  # Optuna draws with pyplot, which would look for a screen
    forging = optuna.create_study(direction="maximize")
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    forging.add_trials([trial for trial in complete if not candidate_of(trial).is_raw])
    yield from _pair("optimisation_history", "plot_optimization_history", study)
    if len(forging.trials) >= _ENOUGH:
        yield from _pair("parallel_coordinates", "plot_parallel_coordinate", forging)
        yield from _pair("importances", "plot_param_importances", forging)


def _pair(name: str, plot: str, study: optuna.Study) -> Iterator[tuple[str, Any]]:
    page: Callable[..., Any] = getattr(optuna.visualization, plot)
    image: Callable[..., Any] = getattr(optuna.visualization.matplotlib, plot)
    yield f"{name}.html", page(study)
    with experimental(), plt.rc_context({"figure.constrained_layout.use": True, "figure.figsize": (10, 6)}):
        warnings.filterwarnings("ignore", "Attempting to set identical", UserWarning)  # a parameter with one value
        axes = image(study)
    figure = np.ravel(axes)[0].figure
    yield f"{name}.png", figure
    plt.close(figure)
