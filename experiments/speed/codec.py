"""How long the codec takes to learn a table and to take its rows to codec space, on one thread.

    python experiments/speed/codec.py [--rounds 5]

For each table and codec: the median seconds of `Codec.fit`, `Codec.encode` and `Layout.one_hot`. Writes
``codec.csv``. The way back is part of sampling: see ``sampling.py``.
"""

import argparse

import numpy as np
import pandas as pd
from machine import FOLDER, machine, median, mixed, wide

from rareflow.generators.codec import CODECS, Codec
from rareflow.workflows.settings import limit_threads

TABLES = {"mixed, 97,000 x 26": (mixed, 97_000), "continuous, 100,000 x 78": (wide, 100_000)}


def seconds(name: str, kind: str, rounds: int) -> dict[str, object]:
    make, rows = TABLES[name]
    X, y = make(rows)
    classes = y.factorize()[0]
    weight = (1.0 / np.bincount(classes))[classes]
    codec = Codec(kind).fit(X, weight)
    encoded = codec.encode(X)
    found = {
        "fit_s": median(lambda: Codec(kind).fit(X, weight), rounds),
        "encode_s": median(lambda: codec.encode(X), rounds),
        "one_hot_s": median(lambda: codec.layout.one_hot(encoded.scaled, encoded.modes), rounds),
    }
    shape = {"scalars": codec.layout.scalars, "blocks": len(codec.layout.sizes), "width": codec.layout.width}
    return {"table": name, "codec": kind, **shape, **{key: round(value, 4) for key, value in found.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="calls of which the median is given")
    rounds = parser.parse_args().rounds
    limit_threads(1)
    results = pd.DataFrame([seconds(name, kind, rounds) for name in TABLES for kind in CODECS])
    print(results.to_string(index=False))
    results.assign(machine=machine()).to_csv(FOLDER / "codec.csv", index=False)


if __name__ == "__main__":
    main()
