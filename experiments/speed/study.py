"""How long a study takes: 50 trials on the gas pipeline's 10 % sample, all of `rareflow tune`, by jobs.

    RAREFLOW_DATA=FOLDER python experiments/speed/study.py [--trials 50] [--jobs 1,2]

Each study starts from nothing, in a scratch folder with stores of its own. ``wall_s`` is the whole command,
imports, finalists, test part and registration included; ``user_s`` is what it and its processes computed;
``others_cores`` is how many cores were busy with something else meanwhile: they make a wall time long on a
shared machine. With two jobs TPE proposes by what is finished when, so two studies are not of equal work.
Writes ``study.csv``.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import pandas as pd
import psutil
from machine import FOLDER, machine
from optuna.trial import TrialState


def busy() -> tuple[float, float]:
    """User seconds of all ended children, and seconds that all cores were busy since the machine started."""
    times = psutil.cpu_times()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, times.user + times.nice + times.system


def study(trials: int, jobs: int) -> dict[str, object]:
    data = Path(os.environ["RAREFLOW_DATA"]) / "gas_pipeline_10pct.parquet"
    with tempfile.TemporaryDirectory() as scratch:
        storage = f"sqlite:///{scratch}/optuna.db"
        words = (
            f"tune --recipe gas-pipeline --n-trials {trials} --jobs {jobs} --storage {storage} --data".split()
        )
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{scratch}/mlflow.db"}
        start, (user, all_cores) = time.perf_counter(), busy()
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "rareflow", *words, str(data)], cwd=scratch, env=environment, check=True
        )
        wall, (user_after, all_after) = time.perf_counter() - start, busy()
        found = optuna.load_study(study_name=None, storage=storage)
        states = [trial.state for trial in found.trials]
    return {
        "jobs": jobs,
        "wall_s": round(wall),
        "user_s": round(user_after - user),
        "others_cores": round((all_after - all_cores - (user_after - user)) / wall, 2),
        "complete": states.count(TrialState.COMPLETE),
        "pruned": states.count(TrialState.PRUNED),
        "best_value": round(found.best_value, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--jobs", default="1,2", help="numbers of processes, separated by commas")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    results = pd.DataFrame([study(given.trials, int(jobs)) for jobs in given.jobs.split(",")])
    print(results.to_string(index=False))
    results.assign(machine=machine()).to_csv(FOLDER / "study.csv", index=False)


if __name__ == "__main__":
    main()
