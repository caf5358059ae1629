"""How a command ends whose tracking server went away: its results are told, and where they wait."""

from __future__ import annotations

from pathlib import Path

from rareflow.errors import SpooledError
from rareflow.tracking.spooling.spool import SPOOL, spooled_runs

__all__ = ["told"]


def told(text: str, run_id: str, *, after: str = "") -> str:
    """Give a command's text for the screen.

    Parameters
    ----------
    text
        What it came to.
    run_id
        Its run, on the server.
    after
        What there is to do after the upload.

    Raises
    ------
    SpooledError
        With the text, if the spool holds something of the run or its children.
    """
    if count := len(spooled_runs(run_id)):
        raise SpooledError(
            f"the tracking server went away; what {count} of the runs logged since is kept in "
            f"{str(Path(SPOOL).absolute())!r}: when it is back, upload it with `rareflow sync`{after}",
            result=text,
        )
    return text
