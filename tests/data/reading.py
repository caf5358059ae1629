"""All rows of a source at once, which the product reads frame by frame."""

import pandas as pd

from rareflow.data.readers import open_source


def read(source):
    """Give the frame and the notes."""
    opened, notes = open_source(source), []
    frame = pd.concat(list(opened.frames(notes)), ignore_index=True)
    return frame, (*opened.notes, *notes)


def read_frame(source):
    return read(source)[0]
