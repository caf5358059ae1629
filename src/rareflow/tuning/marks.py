"""What a trial bears beside its parameters, as user attributes, and when it counts as done."""

from __future__ import annotations

from optuna.trial import TrialState

__all__ = ["AS_IT_IS", "DEFAULTS", "DONE", "FAULT", "OWNER", "ROLE"]

ROLE = "role"
"""What a trial is that no sampler drew: one of the two below."""

AS_IT_IS, DEFAULTS = "raw", "default"
"""Roles of the two trials that every study holds: no augmentation, and the defaults."""

OWNER = "process"
"""Host, number and birth of the process that works on a trial."""

FAULT = "fault"
"""What a trial's own training died of."""

DONE = (TrialState.COMPLETE, TrialState.PRUNED)
"""States that count towards the trials wanted."""
