"""Small tables and untrained generators of them: what the laws of sampling need, in milliseconds."""

import numpy as np
import pandas as pd
import torch

from rareflow.generators.anchors import choose_anchors
from rareflow.generators.assembly import assemble
from rareflow.generators.codec import Codec
from rareflow.generators.training import Networks, seeded
from rareflow.generators.training_config import TrainingConfig

SAMPLING = {"mode": "residual", "n_neighbors": 3, "noise": 0.5, "filter": False, "snap": "shared"}


def mixed(rows=120, seed=0):
    """A table of every kind of column; class `rare` has 11 rows, `pair` 2, `single` 1."""
    rng = np.random.default_rng(seed)
    y = pd.Series("common", index=range(rows), name="attack", dtype="str")
    y[rng.permutation(rows)[:14]] = ["rare"] * 11 + ["pair"] * 2 + ["single"]
    X = pd.DataFrame(
        {
            "bytes": rng.integers(0, 100_000, rows).astype("int32"),
            "rate": np.where(rng.random(rows) < 0.4, 0.0, rng.lognormal(0, 5, rows)),
            "pressure": rng.normal(10, 1, rows).astype("float32"),
            "wild": rng.normal(size=rows) * 10.0 ** rng.integers(-40, 38, rows),
            "port": rng.choice([22, 80, 443], rows).astype("uint16"),
            "seen": pd.array(rng.integers(0, 5000, rows), dtype="Int64"),
            "proto": pd.Categorical(
                rng.choice(["tcp", "udp"], rows), categories=["udp", "tcp", "icmp"], ordered=True
            ),
            "flag": rng.random(rows) < 0.5,
            "service": pd.Series(rng.choice(["http", "dns", "smtp"], rows), dtype="str"),
            "version": np.full(rows, 4, dtype="uint8"),
        }
    )
    X.loc[rng.random(rows) < 0.1, ["rate", "seen", "service"]] = None
    X.loc[y == "rare", ["bytes", "port", "service"]] = [777, 22, "dns"]
    return X, y


def untrained(X, y, *, codec="asinh", seed=0, architecture="vae-wgan-gp", **sampling):
    """Give the generator that an estimator would assemble from untrained networks, with codec and rows."""
    config = TrainingConfig(architecture, latent_dim=3, hidden_dim=8)
    values, classes = np.unique(y.to_numpy(), return_inverse=True)
    fitted = Codec(codec).fit(X, (1 / np.bincount(classes))[classes])
    encoded = fitted.encode(X)
    networks = Networks(config, fitted.layout, len(values), seeded(seed, torch.device("cpu")))
    rows, spans = choose_anchors(classes, np.random.default_rng(seed))
    generator = assemble(
        fitted,
        networks,
        encoded.take(rows),
        spans,
        labels=y,
        values=values,
        sampling=SAMPLING | sampling,
        seed=np.random.SeedSequence(seed),
    )
    return generator, fitted, encoded
