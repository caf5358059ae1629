"""The errors a user can cause and mend: each message names the thing, echoes the value, says the remedy."""

__all__ = ["ConfigError", "DataError", "DivergedError", "RareflowError", "StoreError"]


class RareflowError(Exception):
    """Something a user can mend; the command line prints it on one line and exits with code 2."""


class DataError(RareflowError, ValueError):
    """A file or a table that cannot be used as it is."""


class ConfigError(RareflowError, ValueError):
    """An option or a parameter whose value is refused."""


class StoreError(RareflowError):
    """A tracking store, a study's storage, a registered model or an output folder that cannot be used."""


class DivergedError(RareflowError, ArithmeticError):
    """A training whose loss or weights are no longer finite."""
