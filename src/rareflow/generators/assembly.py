"""From the parts of a training to a portable generator: its spec and its tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from rareflow.errors import DivergedError
from rareflow.generators.anchors import column_groups, encode_latent, latent_neighbours
from rareflow.generators.codec import Codec, Encoded, category_entry
from rareflow.generators.filter import fit_filter
from rareflow.generators.portable import PortableGenerator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rareflow.generators.training import Networks

__all__ = ["assemble"]


def assemble(
    codec: Codec,
    networks: Networks,
    anchors: Encoded,
    spans: list[list[int]],
    *,
    labels: pd.Series,
    values: NDArray[Any],
    sampling: dict[str, Any],
    seed: np.random.SeedSequence,
) -> PortableGenerator:
    """Join codec, trained networks (on the CPU) and real rows to a generator that stands alone.

    Parameters
    ----------
    codec, networks
        Fitted codec, trained networks.
    anchors, spans
        Real rows in codec space, class by class, and where each class's begin and end among them.
    labels
        A column as the label is: its name, dtype and categories count.
    values
        The classes in the label's own type, sorted.
    sampling
        Sampling settings as the spec holds them.
    seed
        Source of the filter's forged rows and forests.

    Raises
    ------
    DivergedError
        If the encoder's finite weights are so large that a latent point is not.
    """
    counts = [stop - start for start, stop in spans]
    classes = np.repeat(np.arange(len(spans)), counts)
    x = torch.from_numpy(codec.layout.one_hot(anchors.scaled, anchors.modes))
    c = torch.nn.functional.one_hot(torch.from_numpy(classes), len(spans)).to(x.dtype)
    weights = networks.decoder.state_dict()
    latent_dim = weights["net.0.weight"].shape[1] - len(spans)
    mu, logvar = encode_latent(networks.encoder, x, c, latent_dim)
    if not (np.isfinite(mu).all() and np.isfinite(logvar).all()):
        raise DivergedError("training diverged: latent points are no longer finite; lower learning_rate")
    tensors: dict[str, NDArray[Any]] = {
        **{f"decoder.{key}": value.numpy() for key, value in weights.items()},
        **{f"scalar.{key}": value for key, value in codec.scale.items()},
        "anchors.scaled": anchors.scaled,
        "anchors.modes": anchors.modes,
        "anchors.raw": anchors.raw,
        "anchors.mu": mu,
        "anchors.logvar": logvar,
        "anchors.neighbours": latent_neighbours(mu, spans, sampling["n_neighbors"]),
    }
    spec: dict[str, Any] = {
        "codec": codec.kind,
        "columns": _grouped(codec.columns, anchors, 1.0 / np.repeat(counts, counts)),
        "label": {
            "name": str(labels.name),
            "dtype": "category" if isinstance(labels.dtype, pd.CategoricalDtype) else str(labels.dtype),
            "position": len(codec.columns),
            **category_entry(labels),
        },
        "classes": [
            {"name": str(value), "value": value, "anchors": span, "straight": False}
            for value, span in zip(values.tolist(), spans, strict=True)
        ],
        "layout": {"scalars": codec.layout.scalars, "sizes": list(codec.layout.sizes)},
        "decoder": {"latent_dim": latent_dim, "hidden_dim": weights["net.0.weight"].shape[0]},
        "sampling": sampling,
    }
    if sampling["filter"]:
        unfiltered = PortableGenerator(spec, tensors)
        forests, is_straight = fit_filter(unfiltered, classes, int(seed.generate_state(1)[0]))
        tensors |= forests
        for entry, straight in zip(spec["classes"], is_straight.tolist(), strict=True):
            entry["straight"] = straight
    return PortableGenerator(spec, tensors)


def _grouped(
    columns: list[dict[str, Any]], anchors: Encoded, weight: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Give each column's entry with the number of its group; see `column_groups`."""
    values = np.zeros((len(weight), len(columns)))
    for j, entry in enumerate(columns):
        if entry["scalar"] is not None:
            values[:, j] = anchors.raw[:, entry["scalar"]]
        elif entry["block"] is not None:
            values[:, j] = anchors.modes[:, entry["block"]]
    groups = column_groups(values, weight).tolist()
    return [entry | {"group": group} for entry, group in zip(columns, groups, strict=True)]
