"""Augmenters: ways to make up for rare classes, from nothing at all to generative networks.

A further one is a small class, registered by its package under the entry point ``rareflow.augmenters``;
`experiments/ctgan_augmenter` is an example.
"""

from rareflow.evaluation.augmenters.base import Augmenter, RowAugmenter, TrainingSet

__all__ = ["Augmenter", "RowAugmenter", "TrainingSet"]
