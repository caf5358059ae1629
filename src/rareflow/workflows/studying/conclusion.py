"""What a study concludes, for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rareflow.evaluation.comparison import text_table
from rareflow.redaction import without_secrets
from rareflow.workflows.outcome import augment_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rareflow.evaluation.comparison import Comparison
    from rareflow.tracking.registry import Registered
    from rareflow.tuning.winner import Winner
    from rareflow.workflows.reading import DataSettings

__all__ = ["conclusion"]


def conclusion(
    class_counts: Mapping[str, int],
    source: DataSettings,
    winner: Winner,
    comparison: Comparison,
    registered: Registered | None,
    uri: str,
) -> str:
    """Say what came out: the verdict, the test scores, what was registered, how to use it, where to look.

    Parameters
    ----------
    class_counts
        Rows of each class in the training part.
    source
        How the table was read.
    winner, comparison, registered
        The study's; nothing is registered while the tracking server is away.
    uri
        The tracking store.
    """
    verdict = _verdict(winner, class_counts)
    scores = f"""\
{verdict}: val_macro_f1 {winner.val_macro_f1:.4f} against RAW's {winner.raw_macro_f1:.4f}.

Test part, scored once:
{text_table(comparison)}

"""
    if registered is None:
        return f"{scores}Registered nothing, because the tracking server went away."
    seen = without_secrets(uri) if uri.startswith("http") else "mlflow ui"
    use = "Balance a table with it: " if winner.is_recommended else "If you augment all the same: "
    return f"""\
{scores}Registered {registered.name} version {registered.version} as {registered.alias} ({registered.reason}).
{use} {augment_command(registered.uri, source.options)}
See the runs:  {seen}"""


def _verdict(winner: Winner, class_counts: Mapping[str, int]) -> str:
    """Say whether to augment; where every class has its rows already, no trial forges any."""
    if winner.is_recommended:
        margin = "" if winner.is_clear else ", by less than a standard error"
        return f"Trial {winner.trial} beats the table as it is{margin}"
    if winner.candidate.is_raw(class_counts):
        return "No augmentation is best: no complete trial forges a row for this table"
    return f"No augmentation is best: trial {winner.trial}, the best that forges rows, does not beat RAW"
