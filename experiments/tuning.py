"""What tuning adds to the defaults on a test part: `rareflow tune` on the benchmark's own parts, ten seeds.

    RAREFLOW_DATA=FOLDER python experiments/tuning.py gas-pipeline-10 kdd5-10 kdd5-100
    python experiments/tuning.py --report

Each word is a table and its shots. The tables are `gas-pipeline` and `cic-ids-2017`, which the defaults were
found on, `gas-pipeline-full`, which holds the rows of the first, and `kdd5`, which had part in the amount and
in the rejection of other ideas.

Splits, shots and seeds are those of `rareflow benchmark`, whose cells stand beside: RAW, and rareflow at its
defaults. Each study is the command itself, 20 trials, in a folder of its own. Writes
``tuning-TABLE-SHOTS.csv``, a row a seed, and goes on where it was stopped.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from mlflow import MlflowClient

import kdd
from ablation import SEEDS, TABLES
from by_table import FOLDER, run_and_report
from rareflow import Table, load_table
from rareflow.evaluation.benchmark import Protocol, make_part
from rareflow.evaluation.statistics import compare_paired, scores_by_seed
from rareflow.workflows.benchmarking.plan import ALL

TRIALS = 20
WITHOUT_RECIPE = {  # file, and the options that read it
    "gas-pipeline-full": ("gas_pipeline_full_without_measurement.parquet", {"label": "result"}),
    "kdd5": ("kddcup99_10percent.parquet", {"label": "category"}),
}
DEFAULT_TRIAL = 1  # RAW is 0
ROUNDING = 0.01  # points
METRICS = ("val_macro_f1_raw", "val_macro_f1", "test_macro_f1_raw", "test_macro_f1_rareflow")


def table_and_shots(name: str) -> tuple[str, str]:
    """Part what a file's name, or a word of the command line, joins."""
    table, _, shots = name.rpartition("-")
    return table, shots


def opened(name: str) -> tuple[Table, dict[str, str]]:
    """Give a table and the options that read it."""
    file, options = WITHOUT_RECIPE.get(name) or (TABLES[name], {"recipe": name})
    path = Path(os.environ["RAREFLOW_DATA"]) / file
    if name != "kdd5":
        return load_table(str(path), **options), options
    with TemporaryDirectory() as folder:
        five = Path(folder) / "kdd5.parquet"
        kdd.five(pd.read_parquet(path)).to_parquet(five, index=False)
        return load_table(str(five), **options), options


def study(folder: Path, options: dict[str, str], seed: int) -> dict[str, object]:
    """Run a study on the two files in a folder, and give what it says of its winner."""
    words = ["tune", "--data", "train.parquet", "--test", "test.parquet"]
    words += [word for option, value in options.items() for word in (f"--{option}", value)]
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "rareflow", *words, "--seed", str(seed), "--n-trials", str(TRIALS)],
        cwd=folder,
        check=True,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"},
    )
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("rareflow")
    (run,) = client.search_runs([experiment.experiment_id], "tags.best_trial != ''")
    figures = {name: round(run.data.metrics[name], 5) for name in METRICS}
    return {"seed": seed, "trial": run.data.tags["best_trial"], "verdict": run.data.tags["verdict"]} | figures


def run(name: str) -> None:
    file = FOLDER / f"tuning-{name}.csv"
    table_name, shots = table_and_shots(name)
    table, options = opened(table_name)
    done = set(pd.read_csv(file)["seed"]) if file.exists() else set()
    for seed in SEEDS:
        if seed in done:
            continue
        part = make_part(table, Protocol(repeats=1), shots=None if shots == ALL else int(shots), seed=seed)
        with TemporaryDirectory() as folder:
            part.train.frame.to_parquet(Path(folder) / "train.parquet")
            part.test.frame.to_parquet(Path(folder) / "test.parquet")
            row = pd.DataFrame([study(Path(folder), options, seed)])
        row.to_csv(file, mode="a", header=not file.exists(), index=False)
        print(f"{name}: seed {seed} done", flush=True)


def markdown(file: Path) -> str:
    name, shots = table_and_shots(file.stem.removeprefix("tuning-"))
    tuned = pd.read_csv(file, index_col="seed").sort_index()
    cells = pd.read_csv(FOLDER / name / "results.csv", keep_default_na=False)
    scores = scores_by_seed(cells[cells["shots"] == shots])[["RAW", "rareflow"]].loc[tuned.index]
    if (scores["RAW"] - 100 * tuned["test_macro_f1_raw"]).abs().max() > ROUNDING:
        raise SystemExit(f"{file}: RAW scores otherwise in the benchmark, so the two protocols differ")
    augment = tuned["verdict"] == "augment"
    scores["tuned"] = 100 * tuned["test_macro_f1_rareflow"].where(augment, tuned["test_macro_f1_raw"])
    lines = [
        f"{name}, {'all rows' if shots == ALL else f'{shots} shots'}, {len(tuned)} seeds: "
        f"{int(augment.sum())} studies advise to augment, "
        f"{int((tuned['trial'] == DEFAULT_TRIAL).sum())} end with the defaults",
        "",
        "| | macro F1, % | tuned over it | p |",
        "|---|---|---|---|",
    ]
    for column in scores:
        gain = ""
        if column != "tuned":
            over = compare_paired(scores, "tuned", column)
            gain = f"{over.difference:+.1f} [{over.low:+.1f}, {over.high:+.1f}] | {over.p:.2g}"
        lines.append(
            f"| {column} | {scores[column].mean():.1f} ± {scores[column].std():.1f} | {gain or '|'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    run_and_report(run, "tuning-*.csv", markdown)
