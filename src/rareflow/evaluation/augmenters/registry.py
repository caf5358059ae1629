"""Every augmenter by name: ours, and those that other packages register."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from rareflow.errors import ConfigError
from rareflow.evaluation.augmenters.base import Augmenter
from rareflow.evaluation.augmenters.borderline import Adasyn, BorderlineSmote
from rareflow.evaluation.augmenters.networks import PaperVaeWganGp, Vae, Wgan, WganGp
from rareflow.evaluation.augmenters.rareflow import Rareflow
from rareflow.evaluation.augmenters.resampling import RandomOversampling, Smote
from rareflow.evaluation.augmenters.reweighting import ClassWeights, Raw, TunedThresholds

__all__ = ["AUGMENTERS", "GROUP", "augmenter", "known_augmenters"]

GROUP = "rareflow.augmenters"
"""The entry-point group: a name, and the class of that ``name`` that is an `Augmenter`."""

_OURS: dict[str, type[Augmenter]] = {
    each.name: each
    for each in (
        Raw, ClassWeights, TunedThresholds, RandomOversampling, Smote, BorderlineSmote, Adasyn,
        Vae, Wgan, WganGp, PaperVaeWganGp, Rareflow,
    )
}  # fmt: skip

AUGMENTERS = tuple(_OURS)
"""The names of our own, in the order of tables."""


def known_augmenters() -> tuple[str, ...]:
    """Give every name: ours in the order of tables, then the registered ones, sorted."""
    return (*AUGMENTERS, *sorted(entry_points(group=GROUP).names - set(AUGMENTERS)))


def augmenter(name: str) -> Augmenter:
    """Make an augmenter by its name; a registered one cannot take the name of ours.

    Raises
    ------
    ConfigError
        If nobody goes by the name, or what is registered under it is no `Augmenter` of that name.
    """
    if name in _OURS:
        return _OURS[name]()
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise ConfigError(
            f"augmenter {name!r} is unknown; choose among {', '.join(known_augmenters())}, "
            f"or install a package that registers it under the entry point {GROUP!r}"
        )
    return _load(found[0])()


def _load(entry: EntryPoint) -> type[Augmenter]:
    """Import a registered class."""
    try:
        found = entry.load()
    except (ImportError, AttributeError) as err:
        raise ConfigError(
            f"augmenter {entry.name!r} is registered as {entry.value!r}, which cannot be imported: {err}"
        ) from err
    if not (isinstance(found, type) and issubclass(found, Augmenter)):
        raise ConfigError(
            f"augmenter {entry.name!r} is registered as {entry.value!r}, which is no subclass of "
            "rareflow.evaluation.augmenters.Augmenter"
        )
    if getattr(found, "name", None) != entry.name:
        raise ConfigError(
            f"augmenter {entry.name!r} is registered as {entry.value!r}, whose name is "
            f"{getattr(found, 'name', None)!r}; make the two equal"
        )
    return found
