"""Prepare, train, tune, tune again, augment, evaluate, one after the other as a user would; then the laws."""

import io
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import optuna
import pandas as pd
import pytest
from mlflow import MlflowClient

from rareflow.data.load import load_table
from rareflow.data.splits import split_table
from rareflow.evaluation.balance import new_rows
from rareflow.tuning import space
from tests.workflows.commands import rareflow, short_trainings, workplace

NAME = "rareflow-gas-pipeline"
CHAMPION = f"models:/{NAME}@champion"
OPTIONS = ("--repeats", 1, "--tune-rows", 300)
OURS = ("--data", "table.parquet", "--recipe", "gas-pipeline")
PARTS = ("--data", "train.parquet", "--test", "test.parquet", "--recipe", "gas-pipeline")


@pytest.fixture(scope="module")
def place(tmp_path_factory, empty_database):
    """The folder after every command has run, and how each ended."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copy(empty_database, folder / "mlflow.db")
    ended = SimpleNamespace(folder=folder)
    with workplace(folder), short_trainings():
        ended.prepare = rareflow("prepare", "--rows", 1500, "--out", "table.parquet")
        table = load_table("table.parquet", recipe="gas-pipeline")
        split = split_table(table, seed=3)
        for rows, name in ((split.train, "train"), (split.test, "test")):
            table.take(rows).frame.to_parquet(f"{name}.parquet")
        ended.train = rareflow("train", *OURS, "--latent-dim", 8, "--steps", 20, "--class-rows", 60)
        ended.tune = rareflow("tune", *OURS, *OPTIONS, "--n-trials", 3)
        ended.again = rareflow("tune", *OURS, *OPTIONS, "--n-trials", 3)
        ended.other = rareflow("tune", *PARTS, *OPTIONS, "--n-trials", 2, "--split", "grouped")
        ended.augment = rareflow(
            "augment", "--data", "train.parquet", "--model", CHAMPION, "--out", "balanced.parquet"
        )
        ended.evaluate = rareflow("evaluate", *PARTS, "--model", CHAMPION)
        ended.raw = rareflow("evaluate", *OURS, "--split", "blocked")
        ended.same = rareflow("evaluate", *OURS, "--model", CHAMPION)
        ended.full = rareflow(
            *("evaluate", "--data", "balanced.parquet", "--label", "result"),
            *("--test", "test.parquet", "--model", CHAMPION),
        )
        ended.client = MlflowClient()
        yield ended


def runs(place, name):
    """The runs of that name, the earliest first."""
    found = place.client.search_runs(
        ["1"], f"attributes.run_name = '{name}'", order_by=["attributes.start_time"]
    )
    return list(found)


def children(place, parent):
    found = place.client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    return sorted(found, key=lambda run: run.info.run_name)


def artifacts(place, run, folder=""):
    return {Path(file.path).name for file in place.client.list_artifacts(run.info.run_id, folder)}


def text(place, run, name):
    return Path(place.client.download_artifacts(run.info.run_id, name)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def study(place):
    """The first study's parent run."""
    return runs(place, "tune gas-pipeline")[0]


@pytest.fixture(scope="module")
def versions(place):
    found = place.client.search_model_versions(f"name = '{NAME}'")
    return {int(each.version): place.client.get_model_version(NAME, each.version) for each in found}


def test_every_command_comes_to_its_end(place):
    names = ("prepare", "train", "tune", "again", "other", "augment", "evaluate", "raw", "same", "full")
    assert {name: (getattr(place, name).code) for name in names} == dict.fromkeys(names, 0)


def test_every_run_says_that_it_finished(place):
    found = place.client.search_runs(["1"])
    assert {run.info.status for run in found} == {"FINISHED"}
    assert len(runs(place, "tune gas-pipeline")) == 3
    assert len(runs(place, "tune train")) == 0, "a recipe names the data"


def test_prepare_writes_the_table_and_its_card(place):
    frame = pd.read_parquet(place.folder / "table.parquet")
    assert len(frame) == 1500
    card = (place.folder / "table.parquet.md").read_text(encoding="utf-8")
    assert card.strip() == place.prepare.out.strip()
    assert "simulated: no row was measured" in card
    assert "| MFCI | 2 | 9 |" in card


def test_a_study_is_a_parent_with_a_child_for_each_trial(place, study):
    found = children(place, study)
    assert [run.info.run_name for run in found] == ["trial-0000", "trial-0001", "trial-0002"]
    assert [run.data.tags.get("rareflow.role") for run in found] == ["raw", "default", None]
    raw, default, drawn = (run.data.params for run in found)
    assert raw == {}
    assert default["steps"] == "100"
    assert set(drawn) == set(default)
    assert {"latent_dim", "lambda_gp", "n_critic", "class_rows.MFCI"} <= set(drawn)


def test_a_child_holds_the_value_that_optuna_holds(place, study):
    name = study.data.tags["study"]
    held = optuna.load_study(study_name=name, storage=f"sqlite:///{place.folder}/optuna.db")
    assert [run.data.metrics["val_macro_f1"] for run in children(place, study)] == [
        pytest.approx(trial.value) for trial in held.trials
    ]


def test_a_child_that_forges_has_step_curves_and_its_generator_and_raw_has_neither(place, study):
    raw, default, _ = children(place, study)
    for key in ("critic", "generator", "gradient_penalty", "reconstruction", "kl"):
        points = place.client.get_metric_history(default.info.run_id, key)
        assert [point.step for point in points] == list(range(1, 101))
        assert key not in raw.data.metrics
    assert artifacts(place, default, "generator") == {"spec.json", "weights.safetensors"}
    assert artifacts(place, raw) == set()
    for detector in ("xgb", "rf", "dt"):
        assert 0 < default.data.metrics[f"val/{detector}/macro_f1"] <= 1
        assert 0 < raw.data.metrics[f"val/{detector}/macro_recall"] <= 1


def test_a_parent_holds_the_options_the_winner_and_the_scores_before_and_after(study):
    params, metrics = study.data.params, study.data.metrics
    assert (params["data"], params["n_trials"], params["split"]) == ("table.parquet", "3", "random")
    assert params["best_latent_dim"]
    assert params["best_class_rows/MFCI"]
    assert {"val_macro_f1", "val_macro_f1_raw", "test_macro_f1_raw", "test_macro_f1_smote"} <= set(metrics)
    for augmenter in ("raw", "smote", "rareflow"):
        of_detectors = [metrics[f"test/{augmenter}/{name}/macro_f1"] for name in ("xgb", "rf", "dt")]
        assert metrics[f"test_macro_f1_{augmenter}"] == pytest.approx(np.mean(of_detectors))
    better = metrics["val_macro_f1"] > metrics["val_macro_f1_raw"]
    assert study.data.tags["verdict"] == ("augment" if better else "leave the table as it is")


def test_a_parent_names_the_commit_the_data_and_the_protocol(place, study):
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    tags = study.data.tags
    table = load_table(str(place.folder / "table.parquet"), recipe="gas-pipeline")
    assert tags["mlflow.source.git.commit"] == head.stdout.strip()
    assert tags["data_digest"] == table.digest
    assert tags["protocol"] == (
        "random split, test size 0.3, seed 0; "
        "validation on 1 random inner splits of at most 300 training rows, test size 0.3"
    )


def test_the_data_sets_of_a_run_are_its_two_parts(place, study):
    table = load_table(str(place.folder / "table.parquet"), recipe="gas-pipeline")
    split = split_table(table, test_size=0.3, seed=0)
    logged = {each.tags[0].value: each.dataset for each in study.inputs.dataset_inputs}
    for context, rows in (("training", split.train), ("test", split.test)):
        assert logged[context].name == "gas-pipeline"
        assert logged[context].digest == table.take(rows).digest[:36]
        assert json.loads(logged[context].profile)["num_rows"] == len(rows)


def test_a_study_leaves_its_figures_as_pictures_and_as_pages_without_a_network(place, study):
    names = {"optimisation_history", "parallel_coordinates", "importances"}
    endings = {f"{name}.{ending}" for name in names for ending in ("png", "html")}
    assert artifacts(place, study, "study") == endings | {"trials.csv"}
    assert '<script src="http' not in text(place, study, "study/optimisation_history.html")
    assert len(text(place, study, "study/trials.csv").splitlines()) == 4


def test_a_study_leaves_scores_by_class_and_confusion_matrices_before_and_after(place, study):
    cells = [
        f"{augmenter}_{name}" for augmenter in ("raw", "smote", "rareflow") for name in ("xgb", "rf", "dt")
    ]
    assert artifacts(place, study, "evaluation") == {
        "summary.csv",
        "summary.md",
        "fidelity.csv",
        "per_class_f1.png",
        *(f"per_class_{cell}.csv" for cell in cells),
        *(f"confusion_{cell}.png" for cell in cells),
    }
    assert {"data_card.md", "model_card.md"} <= artifacts(place, study)


def test_the_first_version_is_the_champion_and_bears_its_card_and_its_tags(place, study, versions):
    first = versions[1]
    assert first.aliases == ["champion"]
    assert "as champion (the first version of this model)" in place.tune.out
    assert first.description == text(place, study, "model_card.md")
    assert float(first.tags["val_macro_f1"]) == study.data.metrics["val_macro_f1"]
    for key in ("data_digest", "protocol", "study", "simulated"):
        assert first.tags[key] == study.data.tags[key]
    assert first.run_id == study.info.run_id


def test_the_card_says_what_it_is_and_the_scores_beside_raw_and_smote(study, versions):
    card = versions[1].description
    for augmenter in ("raw", "smote", "rareflow"):
        shown = f"{100 * study.data.metrics[f'test/{augmenter}/xgb/macro_f1']:.2f}"
        row = next(line for line in card.lower().splitlines() if line.startswith(f"| {augmenter} | xgb |"))
        assert shown in row
    assert study.data.tags["protocol"] in card
    assert f"| C2ST AUC | {study.data.metrics['fidelity_c2st_auc']:.3f} |" in versions[1].description
    for part in ("real rows", "## Limits", "## Intended use", "| MFCI | 6 |"):
        assert part in card


def test_the_same_command_continues_its_study_and_yields_a_challenger(place, study, versions):
    again = runs(place, "tune gas-pipeline")[1]
    assert again.data.tags["study"] == study.data.tags["study"]
    assert any("3 of 3 trials done" in line for line in place.again.progress)
    assert children(place, again) == []
    assert again.data.metrics["val_macro_f1"] == study.data.metrics["val_macro_f1"]
    assert "as challenger (not better: val_macro_f1" in place.again.out
    assert versions[1].aliases == ["champion"]


def test_other_data_make_a_challenger_with_its_reason(place, versions):
    assert "as challenger (champion version 1 was scored on other data" in place.other.out
    assert versions[3].tags["protocol"] == (
        "test file test.parquet, seed 0; "
        "validation on 1 grouped inner splits of at most 300 training rows, test size 0.3"
    )
    assert versions[3].aliases == ["challenger"]
    assert sorted(versions) == [1, 2, 3]


def test_train_logs_parameters_curves_scores_and_a_model_that_is_not_registered(place, versions):
    (run,) = runs(place, "train gas-pipeline")
    assert (run.data.params["latent_dim"], run.data.params["class_rows"]) == ("8", "60")
    assert len(place.client.get_metric_history(run.info.run_id, "critic")) == 20
    assert {"loss_curves.png", "data_card.md"} <= artifacts(place, run)
    assert 0 < run.data.metrics["test_macro_f1_rareflow"] <= 1
    assert run.info.run_id not in {version.run_id for version in versions.values()}


@pytest.mark.parametrize("name", ["train gas-pipeline", "tune gas-pipeline", "evaluate gas-pipeline"])
def test_a_run_s_description_are_its_scores_and_how_they_came_about(place, name):
    described = 0
    for run in runs(place, name):
        head, _, table = run.data.tags["mlflow.note.content"].partition("\n\n")
        assert head.startswith("Scores on the test part (")
        assert f"{table}\n" == text(place, run, "evaluation/summary.md")
        described += 1
    assert described


@pytest.mark.parametrize("command", ["train", "tune"])
def test_train_and_tune_log_fidelity_and_privacy_by_class_and_their_means(place, command):
    run = runs(place, f"{command} gas-pipeline")[0]
    table = pd.read_csv(io.StringIO(text(place, run, "evaluation/fidelity.csv")), index_col=["rows", "class"])
    metrics = run.data.metrics
    forged = table.loc["forged"]
    assert (forged["forged_rows"] >= 1000).all()
    for name in ("fidelity_marginal", "fidelity_c2st_auc", "privacy_near_copies", "privacy_membership_auc"):
        column = name.split("_", 1)[1]
        assert metrics[name] == pytest.approx(forged[column].mean(), abs=1e-5), name
    assert 0.5 < metrics["fidelity_training_marginal"] <= 1
    assert list(forged.index) == list(table.loc["training"].index)


def test_a_trained_model_augments_under_the_name_that_train_prints(place):
    uri = next(word for word in place.train.out.split() if word.startswith("models:/"))
    ended = rareflow("augment", "--data", "train.parquet", "--model", uri, "--out", "trained.csv")
    assert ended.code == 0
    train = load_table("train.parquet", recipe="gas-pipeline")
    largest = max(train.class_counts.values())
    assert pd.read_csv("trained.csv")["result"].value_counts().to_dict() == {
        label: max(rows, min(60, largest)) for label, rows in train.class_counts.items()
    }


def test_augment_keeps_the_real_rows_bit_for_bit_and_adds_the_studys_counts(place, study):
    train = load_table("train.parquet", recipe="gas-pipeline")
    frame = pd.read_parquet("balanced.parquet")
    pd.testing.assert_frame_equal(frame.iloc[: len(train)], train.frame, check_exact=True)
    prefix = "best_class_rows/"
    class_rows = {
        key.removeprefix(prefix): int(value)
        for key, value in study.data.params.items()
        if key.startswith(prefix)
    }
    counts = new_rows(train.class_counts, class_rows)
    advised_against = any("found no augmentation best" in line for line in place.augment.progress)
    assert advised_against == (study.data.tags["verdict"] != "augment")
    forged = frame.iloc[len(train) :]
    assert forged["result"].value_counts().to_dict() == counts
    assert sum(counts.values()) > 0
    for label, rows in train.class_counts.items():
        assert f"{label:<6}  {rows:>9,} real {counts.get(label, 0):>9,} forged" in place.augment.out


@pytest.mark.parametrize(
    ("name", "read"),
    [("t.parquet", pd.read_parquet), ("t.csv", pd.read_csv), ("t.csv.gz", pd.read_csv)],
)
def test_augment_writes_every_kind_of_file_the_same_and_marks_what_is_forged(name, read, place):
    words = ("augment", "--data", "train.parquet", "--model", CHAMPION, "--class-rows", 50, "--seed", 5)
    assert rareflow(*words, "--mark", "forged", "--out", name).code == 0
    train = load_table("train.parquet", recipe="gas-pipeline")
    counts = new_rows(train.class_counts, dict.fromkeys(train.class_counts, 50))
    frame = read(place.folder / name)
    assert frame["forged"].dtype == bool
    assert frame["forged"].tolist() == [False] * len(train) + [True] * sum(counts.values())
    assert frame[frame["forged"]]["result"].value_counts().to_dict() == counts
    reference = place.folder / "reference.parquet"
    if not reference.exists():
        frame.to_parquet(reference)
    pd.testing.assert_frame_equal(frame, pd.read_parquet(reference), check_dtype=False, rtol=1e-15)


def test_class_rows_zero_gives_the_table_back(place):
    words = ("augment", "--data", "train.parquet", "--model", CHAMPION, "--class-rows", 0)
    assert rareflow(*words, "--out", "same.parquet").code == 0
    pd.testing.assert_frame_equal(
        pd.read_parquet("same.parquet"), pd.read_parquet(place.folder / "train.parquet")
    )


@pytest.mark.usefixtures("place")
def test_a_table_with_a_class_or_columns_that_the_model_does_not_know_is_refused():
    frame = pd.read_parquet("train.parquet")
    augment = ("augment", "--model", CHAMPION, "--out", "never.parquet", "--data", "odd.parquet")
    frame.replace({"result": {"DOS": "Worm"}}).to_parquet("odd.parquet")
    ended = rareflow(*augment)
    assert (ended.code, ended.said[0][:55]) == (2, "rareflow: classes that are unknown to --model: 'Worm'; ")
    frame.drop(columns=["gain", "rate"]).to_parquet("odd.parquet")
    ended = rareflow(*augment)
    assert "the table lacks the columns 'gain', 'rate'" in ended.said[0]
    frame.to_parquet("odd.parquet")
    ended = rareflow(*augment, "--mark", "gain")
    assert "--mark 'gain' is a column of the table already" in ended.said[0]
    assert not Path("never.parquet").exists()


@pytest.mark.usefixtures("place")
def test_an_unknown_registered_model_is_refused_with_those_that_are_there():
    for uri in ("models:/nope@champion", f"models:/{NAME}@nope", f"models:/{NAME}/99"):
        ended = rareflow("augment", "--rows", 600, "--model", uri, "--out", "never.parquet")
        assert ended.code == 2
        (line,) = ended.said
        assert line.startswith(f"rareflow: --model {uri!r} cannot be loaded (")
        known = line.partition("in this tracking store registered are ")[2].split(", ")
        assert f"models:/{NAME}@champion" in known
    assert not Path("never.parquet").exists()


def test_evaluate_scores_before_and_after_on_the_test_file(place):
    first, second, _ = runs(place, "evaluate gas-pipeline")
    assert {"test_macro_f1_raw", "test_macro_f1_smote", "test_macro_f1_rareflow"} <= set(first.data.metrics)
    assert first.data.tags["protocol"] == "test file test.parquet, seed 0"
    assert [line.split()[0] for line in place.evaluate.out.splitlines()[2:5]] == ["RAW", "SMOTE", "rareflow"]
    assert "test_macro_f1_smote" not in second.data.metrics
    assert second.data.tags["protocol"].startswith("blocked split")
    assert "Give --model to see the same after augmentation." in place.raw.out


def test_evaluate_says_how_many_test_rows_its_model_was_trained_on(place):
    other_split, _, own_split = runs(place, "evaluate gas-pipeline")
    known = other_split.data.metrics["test_rows_known_to_model"]
    assert known > 200, "the champion was trained on 70 % of the table, of which these are another 30 %"
    n_rows = len(pd.read_parquet(place.folder / "test.parquet"))
    assert f"\nBeware: --model was trained on {known:.0f} of the {n_rows} test rows" in place.evaluate.out
    assert own_split.data.metrics["test_rows_known_to_model"] == 0
    assert "Beware" not in place.same.out


def test_evaluate_says_where_a_model_has_nothing_to_forge(place):
    for each, is_full in ((place.evaluate, False), (place.raw, False), (place.full, True)):
        assert ("\nNothing was forged, so that all lines are those of" in each.out) == is_full


def test_a_study_name_that_stands_for_other_data_is_refused(place, study):
    name = study.data.tags["study"]
    words = ("tune", "--rows", 600, "--repeats", 1, "--tune-rows", 300, "--study-name", name)
    before = len(place.client.search_runs(["1"]))
    ended = rareflow(*words)
    assert ended.code == 2
    assert f"--study-name {name!r} names a study with another data digest" in ended.said[0]
    assert len(place.client.search_runs(["1"])) == before


def test_a_study_of_another_search_space_is_refused_before_a_trial_fails(study, monkeypatch):
    name = study.data.tags["study"]
    monkeypatch.setitem(space.KNOBS, "n_critic", lambda trial, name: trial.suggest_int(name, 1, 6))
    ended = rareflow("tune", *OURS, *OPTIONS, "--study-name", name)
    assert ended.code == 2
    assert f"--study-name {name!r} names a study with another search space" in ended.said[0]


def test_the_champion_makes_the_rows_asked_for_in_the_tables_own_form(place):
    table = pd.read_parquet(place.folder / "table.parquet")
    model = mlflow.pyfunc.load_model(CHAMPION)
    wanted = pd.DataFrame({"label": ["NMRI", "MSCI"], "count": [50, 30]})
    rows = model.predict(wanted, params={"seed": 7})
    assert rows.dtypes.to_dict() == table.dtypes.to_dict()
    assert list(rows.columns) == list(table.columns)
    assert rows["result"].tolist() == ["NMRI"] * 50 + ["MSCI"] * 30
    numbers = table.select_dtypes("number").columns
    assert (rows[numbers].min() >= table[numbers].min()).all()
    assert (rows[numbers].max() <= table[numbers].max()).all()


def test_a_study_of_a_table_that_lacks_no_rows_says_leave_it_as_it_is(place):
    rng = np.random.default_rng(0)
    even = pd.DataFrame({"x": rng.normal(size=80), "y": rng.normal(size=80), "kind": ["a", "b"] * 40})
    even.to_csv("even.csv", index=False)
    ended = rareflow("tune", "--data", "even.csv", "--label", "kind", *OPTIONS, "--n-trials", 3)
    assert ended.code == 0
    assert "No augmentation is best: no complete trial forges a row for this table" in ended.out
    (run,) = runs(place, "tune even")
    assert run.data.tags["verdict"] == "leave the table as it is"
    assert run.data.metrics["val_macro_f1"] == run.data.metrics["val_macro_f1_raw"]
    words = ("augment", "--data", "even.csv", "--model", "models:/rareflow-even@champion")
    assert "If you augment all the same:  rareflow augment" in ended.out
    augment = rareflow(*words, "--out", "still.csv")
    assert augment.code == 0
    assert any("found no augmentation best" in line for line in augment.progress)
    pd.testing.assert_frame_equal(pd.read_csv("still.csv"), even)
