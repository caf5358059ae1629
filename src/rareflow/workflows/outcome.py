"""How a command ends: what to do with its model, and where results wait whose tracking server went away."""

from __future__ import annotations

from pathlib import Path

from rareflow.errors import SpooledError
from rareflow.tracking.spooling.spool import SPOOL, spooled_runs

__all__ = ["augment_command", "told"]


def augment_command(model: str, reading: str = "") -> str:
    """Give the command that balances a table with a model.

    Parameters
    ----------
    model
        Its URI.
    reading
        Options by which the table is read; see `rareflow.workflows.reading.DataSettings.options`.
    """
    return " ".join(
        filter(None, ("rareflow augment --data FILE --model", model, reading, "--out balanced.parquet"))
    )


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
