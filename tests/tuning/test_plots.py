import io

import matplotlib.pyplot as plt
import pytest

from rareflow.evaluation.balance import CLASS_ROWS
from rareflow.tuning.plots import study_figures, trial_table
from rareflow.tuning.study import enqueue_references, open_study
from rareflow.tuning.work import work
from tests.tuning.fakes import FakeObjective, Recorder, by_noise

COUNTS = {"Normal traffic": 90, "Web Attack \u2013 XSS": 20, "a.b, $c": 6, r"$\x$": 6, "<b>\u00e9": 5}
HISTORY = ["optimisation_history.html", "optimisation_history.png"]
COMPARED = [
    "parallel_coordinates.html",
    "parallel_coordinates.png",
    "importances.html",
    "importances.png",
]


def done(storage, n_trials, **how):
    study = open_study(storage, "study", seed=0)
    enqueue_references(study, COUNTS)
    if n_trials:
        work(study, FakeObjective(counts=COUNTS, **how), n_trials, Recorder())
    return study


@pytest.mark.parametrize(
    ("n_trials", "expected"),
    [(0, []), (1, HISTORY), (2, HISTORY), (3, HISTORY + COMPARED), (5, HISTORY + COMPARED)],
)
def test_every_plot_that_the_trials_allow_is_an_image_and_a_page_without_network(storage, n_trials, expected):
    names = []
    for name, figure in study_figures(done(storage, n_trials), COUNTS):
        names.append(name)
        if name.endswith(".html"):
            page = figure.to_html(include_plotlyjs=True)
            assert "Plotly.newPlot(" in page
            assert 'src="http' not in page
        else:
            image = io.BytesIO()
            figure.savefig(image)
            assert image.getvalue().startswith(b"\x89PNG")
    assert names == expected
    assert plt.get_fignums() == []


def test_importances_are_left_out_where_every_value_is_the_same(storage):
    study = done(storage, 4, score=lambda _candidate: 0.5)
    assert [name for name, _ in study_figures(study, COUNTS)] == HISTORY + COMPARED[:2]


def test_failed_and_pruned_trials_leave_gaps_and_break_nothing(storage):
    def falling(candidate):
        return by_noise(candidate) / (1 + objective.turns) if candidate.generator else 0.5

    objective = FakeObjective(falling, counts=COUNTS, faults={1: MemoryError(), 3: MemoryError()})
    study = open_study(storage, "study", seed=0)
    enqueue_references(study, COUNTS)
    work(study, objective, 7, Recorder())
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "PRUNED", "FAIL"}
    assert [name for name, _ in study_figures(study, COUNTS)] == HISTORY + COMPARED


def test_only_trials_that_forge_rows_are_compared(storage):
    pages = dict(study_figures(done(storage, 4), COUNTS))
    lines = [trace for trace in pages["parallel_coordinates.html"].data if trace.customdata is not None]
    assert len(lines) == 3


def test_trials_of_a_table_whose_classes_have_enough_rows_are_not_compared(storage):
    enough = {label: 7_000 + rows for label, rows in COUNTS.items()}
    assert [name for name, _ in study_figures(done(storage, 4), enough)] == HISTORY


def test_a_figure_is_closed_even_where_saving_it_fails(storage):
    figures = study_figures(done(storage, 1), COUNTS)
    assert [next(figures)[0] for _ in range(2)] == HISTORY
    assert len(plt.get_fignums()) == 1
    figures.close()
    assert plt.get_fignums() == []


def test_drawing_leaves_the_users_style_alone(storage):
    before = dict(plt.rcParams)
    list(study_figures(done(storage, 3), COUNTS))
    assert {**plt.rcParams, "backend": None} == {**before, "backend": None}


def test_the_trial_table_has_a_row_a_trial_and_a_column_a_parameter(storage):
    table = trial_table(done(storage, 3))
    assert table["number"].tolist() == [0, 1, 2]
    assert table["state"].tolist() == ["COMPLETE"] * 3
    assert table["user_attrs_role"].tolist()[:2] == ["raw", "default"]
    assert table.loc[1, "params_class_rows.a.b, $c"] == CLASS_ROWS
    assert table.loc[0, [name for name in table if name.startswith("params_")]].isna().all()


def test_the_trial_table_of_a_study_without_trials_is_empty(storage):
    assert len(trial_table(open_study(storage, "study", seed=0))) == 0
