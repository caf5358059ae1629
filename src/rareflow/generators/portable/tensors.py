"""The tensors, which safetensors holds: what they are, and a check that they are that.

Compiled loops read whatever stands where a tensor points, so one that points beyond another is refused.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import is_held, known
from .spec import DAMAGED

if TYPE_CHECKING:
    from .kernels import Array
    from .layout import Layout

__all__ = ["FORESTS", "check_size", "check_tensors", "check_values", "tensors_of"]

FORESTS = ("forest.classes.", "forest.numbers.")
"""What the tensors of each of its forests begin with; see `rareflow.generators.filter.fit_filter`."""

_MOST_NUMBERS = 2**30  # in the real rows' table in codec space, which no file bounds


def tensors_of(tensors: dict[str, Array], prefix: str) -> dict[str, Array]:
    """Give the tensors of one part, by their names within it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def check_tensors(spec: dict[str, Any], layout: Layout, tensors: dict[str, Array]) -> None:
    """Refuse tensors of other names, dtypes, shapes or ranges than a generator's, and numbers that are none.

    Raises
    ------
    ValueError
        The message names the tensor or the class.
    """
    forms = _forms(spec, layout, tensors)
    if strange := sorted(forms.keys() ^ tensors.keys()):
        raise ValueError(f"tensor {strange[0]!r} is lacking or is none of a generator's{DAMAGED}")
    for name, (dtype, *shape) in forms.items():
        found = tensors[name]
        if found.dtype != dtype:
            raise ValueError(f"tensor {name!r} holds {found.dtype}, not {np.dtype(dtype)}{DAMAGED}")
        wanted = tuple(b if a is None else a for a, b in zip_longest(shape, found.shape, fillvalue=-1))
        if found.shape != wanted:
            raise ValueError(f"tensor {name!r} has the shape {found.shape}, not {tuple(shape)}{DAMAGED}")
        # A real row may lack a number, and no number is above a leaf's threshold.
        is_any = name == "anchors.raw" or name.endswith(".threshold")
        if not is_any and not np.isfinite(found).all():
            raise ValueError(f"tensor {name!r} holds a number that is not finite{DAMAGED}")
    _check_bounds(spec, layout, tensors)


def _check_bounds(spec: dict[str, Any], layout: Layout, tensors: dict[str, Array]) -> None:
    """Refuse tensors that point beyond each other, and classes whose rows are not there."""
    rows = len(tensors["anchors.raw"])
    ends: dict[str, Any] = {"anchors.neighbours": rows, "anchors.modes": np.array(layout.sizes)}
    for prefix in FORESTS:
        if forest := tensors_of(tensors, prefix):
            nodes, groups = forest["value"].shape
            ends |= {f"{prefix}roots": nodes, f"{prefix}children": nodes, f"{prefix}groups": groups}
            ends |= {f"{prefix}feature": layout.scalars + len(layout.sizes)}
    for name, end in ends.items():
        if (tensors[name] < 0).any() or (tensors[name] >= end).any():
            raise ValueError(f"tensor {name!r} holds a number outside 0 to {np.max(end) - 1}{DAMAGED}")
    for entry in spec["classes"]:
        start, stop = entry["anchors"]
        if not 0 <= start < stop <= rows:
            raise ValueError(f"class {entry['name']!r} has the rows {start} to {stop} of {rows}{DAMAGED}")


def _forms(spec: dict[str, Any], layout: Layout, tensors: dict[str, Array]) -> dict[str, tuple[Any, ...]]:
    """Give the dtype and the shape that each tensor is to have; ``None`` is any length."""
    latent, hidden = spec["decoder"]["latent_dim"], spec["decoder"]["hidden_dim"]
    kinds, scalars, blocks = len(spec["classes"]), layout.scalars, len(layout.sizes)
    rows = tensors["anchors.raw"].shape[:1] if "anchors.raw" in tensors else (0,)
    forms: dict[str, tuple[Any, ...]] = {
        "decoder.net.0.weight": ("f4", hidden, latent + kinds),
        "decoder.net.0.bias": ("f4", hidden),
        "decoder.net.2.weight": ("f4", hidden, hidden),
        "decoder.net.2.bias": ("f4", hidden),
        "decoder.net.4.weight": ("f4", layout.width, hidden),
        "decoder.net.4.bias": ("f4", layout.width),
        "anchors.raw": ("f8", *rows, scalars),
        "anchors.scaled": ("f4", *rows, scalars),
        "anchors.modes": ("i2", *rows, blocks),
        "anchors.mu": ("f4", *rows, latent),
        "anchors.logvar": ("f4", *rows, latent),
        "anchors.neighbours": ("i4", *rows, spec["sampling"]["n_neighbors"]),
    }
    if scalars:
        names = ("low", "high", "centre", "shift", "spread", "scaled_low", "scaled_high")
        forms |= {f"scalar.{name}": ("f8", scalars) for name in names} | {"scalar.decimals": ("i1", scalars)}
        bend = {"asinh": ("scale", scalars), "quantile": ("references", scalars, None), "zscore": None}
        if further := bend[spec["codec"]]:
            forms[f"scalar.{further[0]}"] = ("f8", *further[1:])
    for prefix in FORESTS if any(tensors_of(tensors, prefix) for prefix in FORESTS) else ():
        nodes = len(tensors.get(f"{prefix}feature", ()))
        forms |= {
            f"{prefix}roots": ("u4", None),
            f"{prefix}feature": ("u4", nodes),
            f"{prefix}threshold": ("f4", nodes),
            f"{prefix}children": ("u4", 2 * nodes),
            f"{prefix}value": ("f4", nodes, None),
            f"{prefix}groups": ("u4", kinds),
            f"{prefix}head_start": ("f4", kinds),
        }
    return forms


def check_values(spec: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Refuse values that their column's dtype cannot hold, before rows of them are wanted.

    Raises
    ------
    ValueError
        The message names the column.
    """
    held = [(spec["label"], np.array([entry["value"] for entry in spec["classes"]], dtype=object))]
    held += [(entry, known(entry)) for entry in spec["columns"]]
    held += [
        (entry, tensors[f"scalar.{end}"][[entry["scalar"]]])
        for entry in spec["columns"]
        if entry["scalar"] is not None
        for end in ("low", "high")
    ]
    for entry, values in held:
        if not is_held(values, entry):
            raise ValueError(f"the column {entry['name']!r} of spec cannot hold its values{DAMAGED}")


def check_size(layout: Layout, tensors: dict[str, Array]) -> None:
    """Refuse real rows that would take more memory in codec space than any table's do.

    Raises
    ------
    ValueError
        The message has their number.
    """
    if (size := len(tensors["anchors.raw"]) * layout.width) > _MOST_NUMBERS:
        raise ValueError(f"the real rows have {size:,} numbers, of at most {_MOST_NUMBERS:,}{DAMAGED}")
