"""What the paper published: its Tables 3 and 4, to stand beside our own figures.

Source: Wang and Zhang, *Industrial Internet Intrusion Detection Method Based on VAE-WGAN-GP Data
Enhancement*, section 4.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["METRICS", "PUBLISHED", "PublishedTable"]

METRICS = ("macro_precision", "macro_recall", "macro_f1")
"""The metrics of the paper's tables, in their order."""

_DETECTORS = ("xgb", "rf", "dt")
_ROUNDING = 0.01 + 1e-9  # a figure of two digits is off by up to 0.005, and so is the mean of two


@dataclass(frozen=True)
class PublishedTable:
    """A table of the paper.

    Parameters
    ----------
    title
        Its name there, such as ``Table 4``.
    figures
        By augmenter, as it is named here: nine figures in percent, first the macro precision of XGB, RF and
        DT, then the macro recall, then the macro F1, each in 0..100.
    """

    title: str
    figures: Mapping[str, tuple[float, ...]]

    def value(self, augmenter: str, detector: str, metric: str) -> float | None:
        """Give a figure in percent, or ``None`` where the paper has none."""
        if augmenter not in self.figures or detector not in _DETECTORS or metric not in METRICS:
            return None
        return self.figures[augmenter][METRICS.index(metric) * len(_DETECTORS) + _DETECTORS.index(detector)]

    @property
    def impossible(self) -> list[tuple[str, str]]:
        """The (augmenter, detector) pairs whose three figures cannot all be macro averages.

        A class's F1 is the harmonic mean of its precision and recall, so never above their arithmetic mean;
        averaged over the same classes, macro F1 is never above the mean of macro precision and macro
        recall.
        """
        return [
            (augmenter, detector)
            for augmenter, row in self.figures.items()
            for detector, precision, recall, f1 in zip(_DETECTORS, row[:3], row[3:6], row[6:], strict=True)
            if f1 > (precision + recall) / 2 + _ROUNDING
        ]


PUBLISHED: Mapping[str, PublishedTable] = {
    "cic-ids-2017": PublishedTable(
        "Table 3",
        {
            "RAW": (90.89, 84.31, 82.45, 62.66, 74.09, 79.56, 66.2, 76.92, 81.06),
            "SMOTE": (93.17, 83.34, 80.69, 73.21, 74.55, 82.38, 73.62, 77.95, 81.82),
            "WGAN": (91.84, 84.21, 81.65, 71.45, 75.72, 80.87, 71.38, 79.12, 81.69),
            "VAE-WGAN-GP (paper)": (94.26, 89.35, 85.12, 84.93, 77.55, 85.23, 85.41, 83.94, 85.58),
        },
    ),
    "gas-pipeline": PublishedTable(
        "Table 4",
        {
            "RAW": (60.87, 59.47, 59.84, 60.12, 61.03, 60.67, 61.49, 60.68, 59.31),
            "SMOTE": (62.32, 61.42, 61.82, 61.35, 62.15, 62.39, 61.82, 61.35, 61.15),
            "WGAN": (78.71, 77.57, 77.49, 73.32, 72.78, 70.97, 73.23, 73.98, 69.81),
            "VAE-WGAN-GP (paper)": (83.74, 89.05, 81.32, 85.46, 86.14, 84.98, 84.28, 83.64, 83.07),
        },
    ),
}
"""The paper's tables by the name of the recipe whose data they are about."""
