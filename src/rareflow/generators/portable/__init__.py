"""The fitted generator, which stands alone: it decodes, samples, saves and loads.

A registered model carries a copy of this very folder, a JSON spec and a safetensors file, and a copy of
`rareflow.tracking.serving`, which hands them to MLflow. So a generator loads where rareflow is not installed,
nothing is unpickled, and two versions loaded in one process each run their own code. Therefore it imports
third parties and its own parts alone, and these relatively.

The spaces, and the shapes used throughout: a *row* of the table has `S` scalars (numeric columns that are
not discrete) and `B` blocks (the choice among a column's modes: its categories, its spikes, "missing",
"some other number"). In *codec space* a row is a vector of length `D`: the `S` scaled scalars, then the
one-hot blocks, blocks of one size side by side so that each size is one reshape. Tables of `A` real rows, the
*anchors* that sampling stays near, are stored row by row, ``(A, ...)``; rows are drawn column by column,
``(..., N)``: frames want them so, and a processor works on many rows at once so.
"""

from .filter import forest_features
from .generator import MAX_ROWS, PortableGenerator
from .kernels import SLOPE
from .layout import STEEP, Draw, Layout
from .spec import CODECS, HOTTEST, SAMPLING_MODES, SNAPS, is_dtype
from .wanted import as_whole

__all__ = [
    "CODECS",
    "HOTTEST",
    "MAX_ROWS",
    "SAMPLING_MODES",
    "SLOPE",
    "SNAPS",
    "STEEP",
    "Draw",
    "Layout",
    "PortableGenerator",
    "as_whole",
    "forest_features",
    "is_dtype",
]
