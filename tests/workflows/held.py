"""The command line in a process that claims another host, is heard of often, and may be held in a trial."""

import os
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pytest
from optuna.pruners import NopPruner

from rareflow.cli import main
from rareflow.tuning import storage, work
from rareflow.tuning.objective import Objective
from tests.workflows.commands import short_trainings

HOST, GATE = os.environ["HOST"], os.environ.get("GATE", "")


def held(repeats):
    """Say in a file that a trial has begun, and go on when the gate is there."""

    def wait(self, candidate, **options):
        if GATE:
            Path(f"{HOST}.begun").touch()
            while not Path(GATE).exists():
                time.sleep(0.05)
        return repeats(self, candidate, **options)

    return wait


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch, short_trainings():
        patch.setattr(platform, "node", lambda: HOST)
        patch.setattr(storage, "_HEARTBEAT_S", 1)
        patch.setattr(storage, "_GRACE_S", 5)
        patch.setattr(work, "_POLL_S", 0.2)
        patch.setattr(work, "PrefixPruner", lambda _every: NopPruner())  # so that all trials are complete
        patch.setattr(Objective, "repeats", held(Objective.repeats))
        main(sys.argv[1:])
