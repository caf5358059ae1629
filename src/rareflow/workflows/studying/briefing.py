"""What a study tells the workers that join it: its options, its target, and where it is tracked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rareflow.data.load import SIMULATED
from rareflow.errors import StoreError
from rareflow.redaction import without_secrets
from rareflow.workflows.reading import DataSettings
from rareflow.workflows.settings import Settings

if TYPE_CHECKING:
    import optuna

__all__ = ["Briefing"]

_KEY = "briefing"


@dataclass(frozen=True)
class Briefing:
    """The options of a study as its storage keeps them.

    Parameters
    ----------
    settings
        How the table is read and parted.
    repeats, tune_rows
        As in `rareflow.workflows.studying.task.Task`.
    n_trials
        Finished trials wanted in all.
    tracking
        The tracking store, without its secrets.
    runs
        The study's runs, one a session, the present one last.
    """

    settings: Settings
    repeats: int
    tune_rows: int
    n_trials: int
    tracking: str
    runs: tuple[str, ...]

    @classmethod
    def publish(
        cls,
        study: optuna.Study,
        settings: Settings,
        *,
        repeats: int,
        tune_rows: int,
        n_trials: int,
        uri: str,
        run_id: str,
    ) -> Briefing:
        """Open a study to workers, as a session of this run."""
        earlier = study.user_attrs.get(_KEY, {}).get("runs", ())
        briefing = cls(settings, repeats, tune_rows, n_trials, without_secrets(uri), (*earlier, run_id))
        told = asdict(briefing)
        # A worker may stand in another folder.
        for held, key in ((told["settings"]["source"], "data"), (told["settings"], "test")):
            if held[key] not in {"", SIMULATED}:
                held[key] = str(Path(held[key]).expanduser().absolute())
        study.set_user_attr(_KEY, told)
        return briefing

    @classmethod
    def of(cls, study: optuna.Study, *, data: str, n_threads: int, device: str) -> Briefing:
        """Read what a study tells.

        Parameters
        ----------
        study
            A study that `publish` opened.
        data
            Where the table lies on this machine; empty: where it lay for `rareflow tune`.
        n_threads, device
            This machine's own.

        Raises
        ------
        StoreError
            If the study tells nothing, or not what this version of rareflow understands.
        """
        told: dict[str, Any] = dict(study.user_attrs.get(_KEY, {}))
        try:
            shared = dict(told.pop("settings"))
            source: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in shared.pop("source").items()
            }
            table = DataSettings(**source)
            here = replace(table, data=data) if data else table
            settings = Settings(here, **{**shared, "n_threads": n_threads, "device": device})
            return cls(settings, **{**told, "runs": tuple(told["runs"])})
        except (KeyError, TypeError) as err:
            raise StoreError(
                f"study {study.study_name!r} is not open to workers of this version of rareflow; `rareflow "
                "tune` of this version with this --storage and --study-name opens it"
            ) from err
