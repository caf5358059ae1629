"""The command line in a process that comes to a stage, says so in a file, and stays until it is stopped."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pytest
from mlflow import MlflowClient

from rareflow.cli import main
from rareflow.generators.training import Training
from rareflow.tracking.runs import Run
from rareflow.workflows import reading
from tests.workflows.commands import short_trainings

STAGES = {
    "preprocessing": (reading, "open_table", 1),
    "training": (Training, "turn", 150),  # of the trial that is drawn; those of the defaults are 100
    "logging artifacts": (Run, "log_folder", 2),
    "logging the model": (MlflowClient, "set_logged_model_tags", 1),
    "registering": (MlflowClient, "update_model_version", 1),
}


def held(work, at):
    calls = []

    def wait(*args, **kwargs):
        calls.append(None)
        if len(calls) == at:
            Path("reached").touch()
            while True:
                time.sleep(0.05)
        return work(*args, **kwargs)

    return wait


if __name__ == "__main__":
    # A shell that starts a command in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    where, name, at = STAGES[os.environ["STAGE"]]
    with pytest.MonkeyPatch.context() as patch, short_trainings():
        patch.setattr(where, name, held(getattr(where, name), at))
        main(sys.argv[1:])
