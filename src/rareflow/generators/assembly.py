"""From the parts of a training to a portable generator: its spec and its tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from rareflow.generators.anchors import choose_anchors, encode_latent, fit_forest, latent_neighbours
from rareflow.generators.codec import Codec, Encoded, category_entry
from rareflow.generators.portable import PortableGenerator, forest_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rareflow.generators.training import Networks

__all__ = ["assemble"]


def assemble(
    codec: Codec,
    networks: Networks,
    encoded: Encoded,
    *,
    labels: pd.Series,
    values: NDArray[Any],
    classes: NDArray[np.intp],
    sampling: dict[str, Any],
    seed: np.random.SeedSequence,
) -> PortableGenerator:
    """Join codec, trained networks (on the CPU) and real rows to a generator that stands alone.

    Parameters
    ----------
    codec, networks, encoded
        Fitted codec, trained networks, all training rows in codec space.
    labels
        The label of each training row, ``(N,)``.
    values, classes
        The classes in the label's own type, sorted; and the number of each training row's class, ``(N,)``.
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
    spec = {
        "codec": codec.kind,
        "columns": codec.columns,
        "label": {
            "name": str(labels.name),
            "dtype": "category" if isinstance(labels.dtype, pd.CategoricalDtype) else str(labels.dtype),
            "position": len(codec.columns),
            **category_entry(labels),
        },
        "classes": [
            {"name": str(value), "value": value, "anchors": span}
            for value, span in zip(values.tolist(), spans, strict=True)
        ],
        "layout": {"scalars": codec.layout.scalars, "sizes": list(codec.layout.sizes)},
        "decoder": {"latent_dim": latent_dim, "hidden_dim": weights["net.0.weight"].shape[0]},
        "sampling": sampling,
    }
    return PortableGenerator(spec, tensors)
