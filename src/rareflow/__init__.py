"""rareflow forges the attack records that an intrusion-detection data set lacks.

>>> from rareflow import VAEWGANGP, simulate_gas_pipeline
>>> table = simulate_gas_pipeline(2_000, seed=0)
>>> X, y = table.drop(columns="result"), table["result"]
>>> VAEWGANGP(steps=50, random_state=0).fit(X, y).sample("NMRI", 500, random_state=7).shape
(500, 26)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rareflow.data.load import load_table
    from rareflow.data.simulator import simulate_gas_pipeline
    from rareflow.data.table import Table
    from rareflow.generators.estimators import VAEWGANGP, fit_together
    from rareflow.generators.portable import PortableGenerator
    from rareflow.generators.sampler import VAEWGANGPSampler

__all__ = [
    "VAEWGANGP",
    "PortableGenerator",
    "Table",
    "VAEWGANGPSampler",
    "fit_together",
    "load_table",
    "simulate_gas_pipeline",
]

_HOMES = {
    "VAEWGANGP": "rareflow.generators.estimators",
    "PortableGenerator": "rareflow.generators.portable",
    "Table": "rareflow.data.table",
    "VAEWGANGPSampler": "rareflow.generators.sampler",
    "fit_together": "rareflow.generators.estimators",
    "load_table": "rareflow.data.load",
    "simulate_gas_pipeline": "rareflow.data.simulator",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute may be anything
    """Import a public name where it is first used: the command line's help needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rareflow' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Give the public names before any of them is imported, too: a shell completes them."""
    return __all__
