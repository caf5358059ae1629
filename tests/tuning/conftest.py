import subprocess
import sys

import pytest

from rareflow.identity import here


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path}/optuna.db"


@pytest.fixture
def dead():
    """A process of this host that is over."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return here()[0], process.pid, here()[2]
