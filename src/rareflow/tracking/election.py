"""The election: which version of a registered model is its champion, however many are registered at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CHALLENGER", "CHAMPION", "OPEN", "Election"]

CHAMPION, CHALLENGER = "champion", "challenger"
OPEN = "rareflow.election"
"""Tag of a version whose election is not over yet."""

_ROUNDS = 10
_COMPARED = {"data_digest": "other data", "protocol": "another protocol"}
_SCORED = {*_COMPARED, "val_macro_f1"}

Version = Any  # MLflow's ModelVersion


@dataclass(frozen=True)
class Election:
    """One version's election, opened before the version exists.

    A store gives no lock that all of its users share, so that of two processes each may read the champion
    before the other has written it. Each therefore elects among the champion that it found and all versions
    whose elections overlap with its own, in the order of their numbers, writes the winner, and looks again:
    whoever writes last has seen every version that was there.

    Parameters
    ----------
    client, name
        The store and the registered model.
    incumbent
        The champion before; ``None`` if there was none.
    settled
        The versions whose elections were over before.
    """

    client: MlflowClient
    name: str
    incumbent: Version | None
    settled: frozenset[str]

    @classmethod
    def open(cls, client: MlflowClient, name: str) -> Election:
        """Take down who stands before the new version does; the name may be new."""
        # In this order: an election that ends in between is heard twice rather than never.
        versions = client.search_model_versions(f"name = '{name}'")
        settled = frozenset(str(version.version) for version in versions if OPEN not in version.tags)
        return cls(client, name, _champion(client, name) if versions else None, settled)

    def settle(self, version: str) -> tuple[str, str]:
        """Elect, give the version its alias and close its election; give the alias and a reason for it."""
        for _ in range(_ROUNDS):
            winner = reduce(_better, self._candidates(), self.incumbent)
            holder = _champion(self.client, self.name)
            if winner is None or (holder is not None and holder.version == winner.version):
                break
            self._set_alias(CHAMPION, winner.version)
        own = self.client.get_model_version(self.name, version)
        if winner is None or str(winner.version) == version:
            alias, reason = CHAMPION, _verdict(self.incumbent, own)[1]
            if self.incumbent is None and self.settled:  # somebody took the alias away
                reason = "no version of this model was champion"
        else:
            alias, reason = CHALLENGER, _verdict(winner, own)[1]
            self._set_alias(CHALLENGER, version)
        self.client.delete_model_version_tag(self.name, version, OPEN)
        return alias, reason

    def withdraw(self, version: str) -> None:
        """Delete the version; a champion that it has displaced already comes back."""
        self.client.delete_model_version(self.name, version)
        if self.incumbent is not None and _champion(self.client, self.name) is None:
            self._set_alias(CHAMPION, self.incumbent.version)

    def _set_alias(self, alias: str, version: str) -> None:
        """Give a version an alias; a store inserts a new one and refuses to if another process just did."""
        try:
            self.client.set_registered_model_alias(self.name, alias, version)
        except MlflowException:
            self.client.set_registered_model_alias(self.name, alias, version)

    def _candidates(self) -> list[Version]:
        """Give the versions whose elections overlap with this one and that are complete, by number."""
        versions = self.client.search_model_versions(f"name = '{self.name}'")
        # The card is a version's last part; what another program registers has no scores to compare.
        overlapping = [
            each
            for each in versions
            if str(each.version) not in self.settled and each.description and each.tags.keys() >= _SCORED
        ]
        return sorted(overlapping, key=lambda each: int(each.version))


def _champion(client: MlflowClient, name: str) -> Version | None:
    """Give the version that bears the alias, if one does."""
    aliases = client.get_registered_model(name).aliases
    return client.get_model_version(name, aliases[CHAMPION]) if CHAMPION in aliases else None


def _better(champion: Version | None, other: Version) -> Version:
    return other if _verdict(champion, other)[0] == CHAMPION else champion


def _verdict(champion: Version | None, other: Version) -> tuple[str, str]:
    """Decide the alias of a version beside the champion, and say why."""
    if champion is None:
        return CHAMPION, "the first version of this model"
    held: Mapping[str, str] = champion.tags
    for key, what in _COMPARED.items():
        if held.get(key) != other.tags[key]:
            return (
                CHALLENGER,
                f"champion version {champion.version} was scored on {what}, so the two cannot be compared",
            )
    theirs, ours = float(held["val_macro_f1"]), float(other.tags["val_macro_f1"])
    scores = f"val_macro_f1 {ours:.4f} against {theirs:.4f} of version {champion.version}"
    return (CHAMPION, f"better: {scores}") if ours > theirs else (CHALLENGER, f"not better: {scores}")
