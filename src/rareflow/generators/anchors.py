"""The real rows that sampling stays near: chosen per class, encoded, with neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.stats import rankdata
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rareflow.generators.networks import Encoder

__all__ = [
    "ANCHORS_PER_CLASS",
    "choose_anchors",
    "column_groups",
    "encode_latent",
    "latent_neighbours",
]

ANCHORS_PER_CLASS = 2_000
"""Real rows kept of each class: bounds a registered model's size and its neighbour search."""

_APART = 0.5  # columns whose rank correlation averages at most 1 less this may be taken from different rows


def choose_anchors(
    classes: NDArray[np.intp], rng: np.random.Generator
) -> tuple[NDArray[np.intp], list[list[int]]]:
    """Choose up to `ANCHORS_PER_CLASS` rows of each class.

    Parameters
    ----------
    classes
        The class of each row by number, from 0, shape ``(rows,)``.
    rng
        Draws the rows of larger classes.

    Returns
    -------
    rows, spans
        Row numbers ``(A,)``, class by class; and each class's ``[start, stop]`` among them.
    """
    chosen, spans, start = [], [], 0
    for kind in range(int(classes.max()) + 1):
        rows = np.flatnonzero(classes == kind)
        if len(rows) > ANCHORS_PER_CLASS:
            rows = np.sort(rng.choice(rows, ANCHORS_PER_CLASS, replace=False))
        chosen.append(rows)
        spans.append([start, start + len(rows)])
        start += len(rows)
    return np.concatenate(chosen), spans


def encode_latent(
    encoder: Encoder | None, x: torch.Tensor, c: torch.Tensor, latent_dim: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give each anchor's posterior mean and log-variance, ``(A, latent_dim)``; else the prior's."""
    if encoder is None:
        return np.zeros((len(x), latent_dim), np.float32), np.zeros((len(x), latent_dim), np.float32)
    with torch.inference_mode():
        mu, logvar = encoder(x, c)
    return mu.cpu().numpy(), logvar.cpu().numpy()


def latent_neighbours(mu: NDArray[np.float32], spans: list[list[int]], n_neighbors: int) -> NDArray[np.int32]:
    """Find each anchor's nearest anchors of its own class in latent space, ``(A, n_neighbors)``.

    A class of fewer rows repeats its neighbours; a row alone is its own neighbour.
    """
    found = np.empty((len(mu), n_neighbors), dtype=np.int32)
    for start, stop in spans:
        own = mu[start:stop]
        count = min(n_neighbors, len(own) - 1)
        if count == 0:
            found[start:stop] = start
            continue
        near = NearestNeighbors(n_neighbors=count).fit(own).kneighbors(return_distance=False)
        found[start:stop] = start + np.take(near, np.arange(n_neighbors) % count, axis=1)
    return found


def column_groups(columns: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.int32]:
    """Give each column the number of its group: columns that rise and fall together share one.

    Average linkage over one less the absolute weighted Spearman correlation, cut at one half.

    Parameters
    ----------
    columns
        Numbers, shape ``(A, columns)``; modes by their numbers.
    weight
        A weight a row, shape ``(A,)``.

    Returns
    -------
    numpy.ndarray
        From 0, shape ``(columns,)``.
    """
    width = columns.shape[1]
    if min(columns.shape) < 2:  # noqa: PLR2004 - no pair of columns, or of rows
        return np.arange(width, dtype=np.int32)
    ranks = rankdata(np.nan_to_num(columns), axis=0)
    covariance = np.cov(ranks, rowvar=False, aweights=weight)
    # A constant goes with no column; its variance under unequal weights is not always 0.
    scale = np.where(np.ptp(ranks, axis=0) > 0, np.sqrt(np.diag(covariance)), np.inf)
    distance = 1 - np.abs(covariance / np.outer(scale, scale)).clip(0, 1)
    tree = linkage(distance[np.triu_indices(width, 1)], "average")
    return (fcluster(tree, _APART, "distance") - 1).astype(np.int32)
