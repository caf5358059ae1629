"""The program: it runs a command and ends with an exit code and, where something went wrong, one line."""

from __future__ import annotations

import errno
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from rareflow.cli.commands import app
from rareflow.errors import ConfigError, RareflowError, SpooledError, is_stop, lacks_memory
from rareflow.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_FAILED, _BAD_INPUT, _INTERRUPTED = 1, 2, 130
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
# What MLflow says of a run, an experiment or a model that is not there any more.
_GONE = re.compile("RESOURCE_DOES_NOT_EXIST|must be in the 'active' state")

# What Typer raises for an option that is unknown or unfit; only a subclass has a public name.
_UsageError: Any = typer.BadParameter.__bases__[0]


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process.

    With 0, 2 on what the user can mend, 3 where results wait in the spool, 130 if stopped, else 1.

    Every problem is one line on the standard error stream; ``--debug`` raises it instead.

    Parameters
    ----------
    arguments
        Words after the program's name; those of the process by default.
    """
    from rareflow.workflows.interruption import stoppable
    from rareflow.workflows.progress import listen

    words = sys.argv[1:] if arguments is None else arguments
    listen()
    try:
        with stoppable():
            # Typer gives the exit code of help and of Ctrl-C, and None where a command came to its end.
            _check_repeated(words)
            code = app(words or ["--help"], prog_name="rareflow", standalone_mode=False) or 0
    except Exception as err:  # a user reads one line, whatever went wrong
        code = _fail(err, is_raised="--debug" in words)
    if code == _INTERRUPTED:
        typer.echo("rareflow: stopped; what was finished is kept, and the same command continues", err=True)
    sys.exit(code)


def _check_repeated(words: Sequence[str]) -> None:
    """Refuse a list of columns in pieces, of which only the last would count, as of every option."""
    given = [word.partition("=")[0] for word in words]
    for option in ("--drop", "--categorical"):
        if given.count(option) > 1:
            raise ConfigError(f"{option} is given twice; give all columns at once, as in {option} a,b")


def _fail(err: Exception, *, is_raised: bool) -> int:
    """Say on one line what went wrong and give the exit code, or raise the error; a stop is said later."""
    if is_stop(err):
        return _INTERRUPTED
    code, message = _problem(err)
    if isinstance(err, SpooledError):
        typer.echo(err.result)
    shown = f"rareflow: {' '.join(message.split())}"
    if is_raised:
        shown = traceback.format_exc()
        if redacted(shown) == shown:
            raise err
    typer.echo(redacted(shown), err=True)
    return code


def _problem(err: Exception) -> tuple[int, str]:
    """Give the exit code and the message for an error."""
    if isinstance(err, RareflowError):
        return err.exit_code, str(err)
    if isinstance(err, _UsageError):
        command = err.ctx.command_path if err.ctx else "rareflow"
        return _BAD_INPUT, f"{err.format_message()}{_value(err)} (see {command} --help)"
    if isinstance(err, OSError) and err.errno in _UNWRITABLE:
        return _BAD_INPUT, (
            f"{err.filename or 'a file'} cannot be written ({err.strerror}); free or give another place to "
            "write, and run the same command again"
        )
    if lacks_memory(err):
        return _BAD_INPUT, (
            f"memory ran out ({err}); take fewer rows, smaller networks, fewer jobs or fewer threads, and "
            "run the same command again"
        )
    if _GONE.search(f"{getattr(err, 'error_code', '')} {err}"):
        return _BAD_INPUT, (
            f"something that the work needs is not in the tracking store any more ({err}); `mlflow runs "
            "restore` and `mlflow experiments restore` bring back what was deleted; then run the same "
            "command again (--debug shows where)"
        )
    return _FAILED, f"{type(err).__name__}: {err} (run again with --debug to see where)"


def _value(err: Exception) -> str:
    """Give the value that Typer's own message about an option does not echo."""
    errors: Any = getattr(err.__cause__, "errors", None)
    return f", not {errors()[0]['input']!r}" if errors else ""
