"""From the parts of a training to a portable generator: its spec and its tensors."""

from __future__ import annotations

from typing import Any, TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from rareflow.generators.anchors import choose_anchors, encode_latent, fit_forest, latent_neighbours
from rareflow.generators.codec import Codec, Encoded, category_entry
from rareflow.generators.portable import PortableGenerator, forest_features

if TYPE_CHECKING:
    from rareflow.generators.training import Networks
    from numpy.typing import NDArray

__all__ = ["assemble", "describe_label"]


def describe_label(labels: pd.Series, values: NDArray[Any]) -> dict[str, Any]:
    """Describe the label column and its classes as the spec holds them.

    Parameters
    ----------
    labels
        The label of each row, ``(rows,)``.
    values
        The classes in the label's own type, sorted.
    """
    return {
        "name": str(labels.name),
        "dtype": "category" if isinstance(labels.dtype, pd.CategoricalDtype) else str(labels.dtype),
        "values": [value.item() if isinstance(value, np.generic) else value for value in values],
        **category_entry(labels),
    }


def assemble(
    codec: Codec,
    networks: Networks,
    encoded: Encoded,
    classes: NDArray[np.intp],
    label: dict[str, Any],
    sampling: dict[str, Any],
    seed: np.random.SeedSequence,
) -> PortableGenerator:
    """Join codec, trained networks (on the CPU) and real rows to a generator that needs none of them any more.

    Parameters
    ----------
    codec, networks, encoded
        Fitted codec, trained networks, all training rows in codec space.
    classes
        Class number of each training row, ``(N,)``.
    label
        What `describe_label` gave.
    sampling
        Sampling settings as the spec holds them.
    seed
        Source of the choice of anchors and of the filter's forest.
    """
    rows, spans = choose_anchors(classes, np.random.default_rng(seed))
    scaled, modes, raw = encoded.scaled[rows], encoded.modes[rows], encoded.raw[rows]
    x = torch.from_numpy(codec.layout.one_hot(scaled, modes))
    c = torch.nn.functional.one_hot(torch.from_numpy(classes[rows]), len(spans)).to(x.dtype)
    weights = networks.decoder.state_dict()
    latent_dim = weights["net.0.weight"].shape[1] - len(spans)
    mu, logvar = encode_latent(networks.encoder, x, c, latent_dim)
    tensors: dict[str, NDArray[Any]] = {
        **{f"decoder.{key}": value.numpy() for key, value in weights.items()},
        **{f"scalar.{key}": value for key, value in codec.scale.items()},
        "anchors.scaled": scaled,
        "anchors.modes": modes,
        "anchors.raw": raw,
        "anchors.mu": mu,
        "anchors.logvar": logvar,
        "anchors.neighbours": latent_neighbours(mu, spans, sampling["n_neighbors"]),
    }
    if sampling["filter"]:
        forest_seed = int(seed.generate_state(1)[0])
        tensors |= fit_forest(forest_features(raw, modes), classes[rows], forest_seed)
    values = label.pop("values")
    spec = {
        "codec": codec.kind,
        "columns": codec.columns,
        "label": {**label, "position": len(codec.columns)},
        "classes": [
            {"name": str(value), "value": value, "rows": int(count), "anchors": span}
            for value, count, span in zip(values, np.bincount(classes), spans, strict=True)
        ],
        "layout": {"scalars": codec.layout.scalars, "sizes": list(codec.layout.sizes)},
        "decoder": {"latent_dim": latent_dim, "hidden_dim": weights["net.0.weight"].shape[0]},
        "sampling": sampling,
    }
    return PortableGenerator(spec, tensors)
