"""The spec, which is JSON: what it holds, and a check that it holds that."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["CODECS", "DAMAGED", "HOTTEST", "SAMPLING_MODES", "SNAPS", "check_spec", "is_dtype"]

CODECS = ("asinh", "quantile", "zscore")
SAMPLING_MODES = ("prior", "posterior", "neighbours", "interpolation", "residual", "crossover")
SNAPS = ("none", "shared", "observed")
HOTTEST = 1e6
"""Factor on noise at most; far beyond it float32 overflows."""
DAMAGED = "; the generator's files are damaged or were tampered with: load another copy"
"""How the message of a check ends."""

_DTYPE = re.compile(
    r"(bool|boolean|category|double|object|str|string|(u?int|float|UInt|Int|Float)(8|16|32|64|128))"
    r"(\[(python|pyarrow)\w*\])?"
    r"|(float|halffloat|large_string)\[pyarrow\]"
)
"""Of a column or a label; numpy knows others, some of which take a gigabyte a row."""


def _is_whole(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def is_dtype(value: object) -> bool:
    """Tell whether it names a dtype that a column, a label or categories can have on the way back."""
    return isinstance(value, str) and _DTYPE.fullmatch(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_place(value: object) -> bool:
    return value is None or _is_whole(value)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_factor(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= HOTTEST


def _is_span(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value))  # noqa: PLR2004


def _is_positive(value: object) -> bool:
    return _is_whole(value, 1)


_COLUMN = {
    "name": _is_text,
    "dtype": is_dtype,
    "numeric": _is_truth,
    "modes": [_is_scalar],
    "block": _is_place,
    "scalar": _is_place,
    "group": _is_whole,
}
_CATEGORIES = {"categories": [_is_scalar], "categories_dtype": is_dtype, "ordered": _is_truth}
_SPEC_FORM = {
    "codec": CODECS,
    "columns": [_COLUMN],
    "label": {"name": _is_text, "dtype": is_dtype, "position": _is_whole},
    "classes": [{"name": _is_text, "value": _is_scalar, "anchors": _is_span, "straight": _is_truth}],
    "layout": {"scalars": _is_whole, "sizes": [_is_positive]},
    "decoder": {"latent_dim": _is_positive, "hidden_dim": _is_positive},
    "sampling": {
        "mode": SAMPLING_MODES,
        "n_neighbors": _is_positive,
        "noise": _is_factor,
        "filter": _is_truth,
        "snap": SNAPS,
    },
}
"""What a spec holds: a mapping by its keys, a list by its items, a choice, or a test of one value."""


def _check_form(value: Any, form: Any, where: str) -> None:  # noqa: ANN401 - whatever JSON held
    """Refuse a part of a spec that is not of its form, by its place."""
    if isinstance(form, dict):
        if not isinstance(value, dict) or not form.keys() <= value.keys():
            raise ValueError(f"{where} lacks one of {', '.join(form)}{DAMAGED}")
        for key, part in form.items():
            _check_form(value[key], part, f"{where}.{key}")
    elif isinstance(form, list):
        _check_form(value, _is_list, where)
        for i, item in enumerate(value):
            _check_form(item, form[0], f"{where}[{i}]")
    elif not (value in form if isinstance(form, tuple) else form(value)):
        raise ValueError(f"{where} holds {str(value)[:40]!r}, which no generator has there{DAMAGED}")


def check_spec(spec: Any) -> None:  # noqa: ANN401 - whatever JSON held
    """Refuse a spec that `save` never writes; the message names the entry.

    Raises
    ------
    ValueError
        If an entry is lacking, is of another kind, or points beyond another.
    """
    _check_form(spec, _SPEC_FORM, "spec")
    sizes, scalars = spec["layout"]["sizes"], spec["layout"]["scalars"]
    blocks = {entry["block"] for entry in spec["columns"]} - {None}
    names = [entry["name"] for entry in spec["columns"]]
    if not spec["classes"] or len(set(names)) < len(names) or spec["label"]["position"] > len(names):
        raise ValueError(f"spec has no class, or columns of one name or without a place{DAMAGED}")
    if sizes != sorted(sizes) or blocks != set(range(len(sizes))):
        raise ValueError(f"spec.layout.sizes holds {sizes[:9]}, not a size for each block{DAMAGED}")
    for entry in [*spec["columns"], spec["label"]]:
        if entry["dtype"] == "category":
            _check_form(entry, _CATEGORIES, f"the column {entry['name']!r} of spec")
    for entry in spec["columns"]:
        modes = len(entry["modes"]) + (entry["scalar"] is not None)
        is_placed = entry["scalar"] is None or (entry["numeric"] and entry["scalar"] < scalars)
        is_grouped = entry["group"] < len(spec["columns"])
        size = 1 if entry["block"] is None else sizes[entry["block"]]
        if not (is_placed and is_grouped and modes == size):
            raise ValueError(f"the column {entry['name']!r} of spec has no place in its layout{DAMAGED}")
