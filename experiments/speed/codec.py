"""How long the codec takes to learn a table, to take its rows to codec space and back, on one thread.

    python experiments/speed/codec.py [--rounds 5]

For each table and codec: the median seconds of `Codec.fit`, `Codec.encode`, `Layout.one_hot`, and of the way
back, from all the codec vectors to a frame of the table's own columns, dtypes and units. That is the
generator's, done as when it samples: some thousand rows at once, then a frame of each batch. Writes
``codec.csv``.
"""

# ruff: noqa: SLF001 - the way back is timed without what `batches` does besides

import argparse

import numpy as np
import pandas as pd
import torch
from machine import FOLDER, machine, median, mixed, wide

from rareflow.generators.anchors import choose_anchors
from rareflow.generators.assembly import assemble
from rareflow.generators.codec import Codec, Encoded
from rareflow.generators.portable import CODECS, PortableGenerator
from rareflow.generators.portable.generator import _CHUNK_ROWS
from rareflow.generators.portable.kernels import put
from rareflow.generators.portable.wanted import _BATCH_ROWS
from rareflow.generators.training import Networks, seeded
from rareflow.generators.training_config import TrainingConfig
from rareflow.workflows.settings import limit_threads

TABLES = {"mixed, 97,000 x 26": (mixed, 97_000), "continuous, 100,000 x 78": (wide, 100_000)}
SAMPLING = {"mode": "residual", "n_neighbors": 1, "noise": 1.0, "filter": False, "snap": "none"}


def untrained(codec: Codec, encoded: Encoded, y: pd.Series) -> PortableGenerator:
    """Give a generator of some rows: it knows the way back, whatever its networks have learnt."""
    values, classes = np.unique(y.to_numpy(), return_inverse=True)
    rows, spans = choose_anchors(classes, np.random.default_rng(0))
    networks = Networks(TrainingConfig(), codec.layout, len(values), seeded(0, torch.device("cpu")))
    return assemble(
        codec,
        networks,
        encoded.take(rows),
        spans,
        labels=y,
        values=values,
        sampling=SAMPLING,
        seed=np.random.SeedSequence(0),
    )


def decode(generator: PortableGenerator, x: np.ndarray) -> int:
    """Bring codec vectors ``(D, N)`` to frames, as `PortableGenerator.batches` does; count the rows."""
    rows = 0
    for batch in range(0, x.shape[1], _BATCH_ROWS):
        room = generator.layout.room(min(_BATCH_ROWS, x.shape[1] - batch))
        for start in range(0, len(room), _CHUNK_ROWS):
            part = x[:, batch + start : batch + min(start + _CHUNK_ROWS, len(room))]
            draw = generator.sampling.settle(
                generator.sampling.snap(np.ascontiguousarray(part), slice(0), None, None)
            )
            put(draw.scalars, np.arange(len(draw)), room.scalars, start)
            put(draw.modes, np.arange(len(draw)), room.modes, start)
        rows += len(generator._frame(room))
    return rows


def seconds(name: str, kind: str, rounds: int) -> dict[str, object]:
    make, rows = TABLES[name]
    X, y = make(rows)
    classes = y.factorize()[0]
    weight = (1.0 / np.bincount(classes))[classes]
    codec = Codec(kind).fit(X, weight)
    encoded = codec.encode(X)
    generator = untrained(codec, encoded, y)
    x = np.ascontiguousarray(codec.layout.one_hot(encoded.scaled, encoded.modes).T)
    found = {
        "fit_s": median(lambda: Codec(kind).fit(X, weight), rounds),
        "encode_s": median(lambda: codec.encode(X), rounds),
        "one_hot_s": median(lambda: codec.layout.one_hot(encoded.scaled, encoded.modes), rounds),
        "decode_s": median(lambda: decode(generator, x), rounds),
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
