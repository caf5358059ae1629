"""The generative networks to beat: VAE, WGAN, WGAN-GP, and VAE-WGAN-GP as the paper describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from rareflow.evaluation.augmenters.base import RowAugmenter
from rareflow.generators.estimators import VAEWGANGP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NetworkAugmenter", "PaperVaeWganGp", "Vae", "Wgan", "WganGp"]

_PRIOR = {"sampling": "prior", "filter": False}


class NetworkAugmenter(RowAugmenter):
    """Rows of a `VAEWGANGP` that is trained on the training part, one network for all classes.

    Attributes
    ----------
    settings
        Parameters of `VAEWGANGP` that differ from its defaults.
    """

    settings: ClassVar[dict[str, Any]] = {}

    def learn(self, X: pd.DataFrame, y: NDArray[np.object_], *, seed: int) -> None:
        """Train the network."""
        network = VAEWGANGP(**self.settings, device=self.device, random_state=seed)
        self._generator = network.fit(X, y).generator_

    def forge(self, counts: dict[str, int]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
        """Draw all classes' rows in one call."""
        labels = np.array(list(counts), dtype=object)
        wanted = pd.DataFrame({"label": labels, "count": list(counts.values())})
        rows = self._generator.table(wanted, seed=self.seed)
        return rows.reindex(columns=self.X.columns), np.repeat(labels, wanted["count"])


class Vae(NetworkAugmenter):
    """A conditional VAE, drawn from its prior."""

    name = "VAE"
    settings: ClassVar[dict[str, Any]] = {"architecture": "vae", **_PRIOR}


class Wgan(NetworkAugmenter):
    """A conditional WGAN with weight clipping, arXiv 1701.07875."""

    name = "WGAN"
    settings: ClassVar[dict[str, Any]] = {"architecture": "wgan", **_PRIOR}


class WganGp(NetworkAugmenter):
    """A conditional WGAN with gradient penalty, arXiv 1704.00028."""

    name = "WGAN-GP"
    settings: ClassVar[dict[str, Any]] = {"architecture": "wgan-gp", **_PRIOR}


class PaperVaeWganGp(NetworkAugmenter):
    """VAE-WGAN-GP as the paper describes it: z-scores, prior sampling, always full balance."""

    name = "VAE-WGAN-GP (paper)"
    amounts = (1.0,)
    settings: ClassVar[dict[str, Any]] = {
        **_PRIOR,
        "codec": "zscore",
        "kl_weight": 1.0,
        "snap": "none",
    }
