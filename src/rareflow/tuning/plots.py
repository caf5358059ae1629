"""What a study looks like: history, importances, parallel coordinates, and the trial table."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import optuna
from optuna.trial import TrialState

from rareflow.evaluation.plots import literal
from rareflow.tuning.space import KNOBS, Candidate
from rareflow.tuning.storage import experimental

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd

__all__ = ["study_figures", "trial_table"]

_ENOUGH = 2  # complete trials, for a plot that compares them


def trial_table(study: optuna.Study) -> pd.DataFrame:
    """Give one row a trial: number, value, state, duration, parameters, role."""
    return study.trials_dataframe(attrs=("number", "value", "state", "duration", "params", "user_attrs"))


def study_figures(study: optuna.Study, class_counts: Mapping[str, int]) -> Iterator[tuple[str, Any]]:
    """Give each plot twice: for a PNG (matplotlib) and for a page (plotly), by file name.

    Parameters are compared between complete trials that forge rows, as RAW has none; importances need two
    values that differ. A plot without the trials it needs is left out. A matplotlib figure is closed once the
    next one is asked for.

    Parameters
    ----------
    study
        The study.
    class_counts
        Rows of each class in the training part.
    """
    plt.switch_backend("agg")  # Optuna draws with pyplot, which would look for a screen
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if complete:
        yield from _pair("optimisation_history", "plot_optimization_history", study)
    forging = optuna.create_study(direction="maximize")
    forging.add_trials(
        [trial for trial in complete if not Candidate.from_params(trial.params).is_raw(class_counts)]
    )
    if len(forging.trials) >= _ENOUGH:
        yield from _pair("parallel_coordinates", "plot_parallel_coordinate", forging, params=list(KNOBS))
    if len({trial.value for trial in forging.trials}) >= _ENOUGH:
        yield from _pair("importances", "plot_param_importances", forging)


def _pair(name: str, plot: str, study: optuna.Study, **for_image: list[str]) -> Iterator[tuple[str, Any]]:
    """Draw a plot for both; a page can be zoomed and holds all, an image what it has the room for."""
    page: Callable[..., Any] = getattr(optuna.visualization, plot)
    image: Callable[..., Any] = getattr(optuna.visualization.matplotlib, plot)
    yield f"{name}.html", page(study)
    with experimental(), plt.rc_context({"figure.constrained_layout.use": True, "figure.figsize": (14, 6)}):
        # A parameter with one value.
        warnings.filterwarnings("ignore", "Attempting to set identical", UserWarning)
        figure = literal(np.ravel(image(study, **for_image))[0].figure)
    try:
        yield f"{name}.png", figure
    finally:
        plt.close(figure)
