"""`python -m rareflow`: the command line, where no script is on the path."""

from rareflow.cli import main

main()
