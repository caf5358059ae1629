"""A bench that computes nothing, for processes to import."""

import os
import time
from types import SimpleNamespace

from rareflow.errors import DataError


class FakeBench:
    """Gives back the cell; an augmenter's name says what goes wrong."""

    protocol = SimpleNamespace(n_threads=1)

    def frames(self, cell):
        if cell.augmenter == "fails":
            raise DataError("too few rows")
        if cell.augmenter == "is wrong":
            raise ZeroDivisionError
        if cell.augmenter == "dies":
            os._exit(7)
        if cell.augmenter == "sleeps":
            time.sleep(600)
        return {"results": cell.seed}


def rest(_connection):
    """Work that takes a minute."""
    time.sleep(60)
