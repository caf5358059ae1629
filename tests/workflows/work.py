"""Work for processes to import that computes nothing."""

import os
import time

from rareflow.errors import DataError


def work(task):
    """Give back the task's number; the word after it says what goes wrong."""
    number, _, word = task.partition(" ")
    if word == "fails":
        raise DataError("too few rows")
    if word == "is wrong":
        raise ZeroDivisionError
    if word == "dies":
        os._exit(7)
    if word == "sleeps":
        time.sleep(600)
    return int(number)


def rest(_connection):
    """Work that takes a minute."""
    time.sleep(60)
