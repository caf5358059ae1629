"""What the experiments share that run table by table: where their files lie, and their command line."""

import sys
from collections.abc import Callable
from pathlib import Path

from rareflow.workflows.settings import limit_threads

FOLDER = Path(__file__).parent


def run_and_report(run: Callable[[str], None], files: str, markdown: Callable[[Path], str]) -> None:
    """Run, on one thread, for each table that is named on the command line, then print what all files say."""
    limit_threads(1)
    for name in sys.argv[1:]:
        if name != "--report":
            run(name)
    for file in sorted(FOLDER.glob(files)):
        print(markdown(file), end="\n\n")
