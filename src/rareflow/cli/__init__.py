"""The command line: parse, call one workflow, print. Nothing else.

A command imports its workflow when it runs, so that help comes at once, and reads the options that it shares
with others off the context.
"""

from rareflow.cli.commands import app
from rareflow.cli.running import main

__all__ = ["app", "main"]
