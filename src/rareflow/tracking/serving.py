"""What MLflow runs when it loads a registered generator: it hands over what the generator's own code makes.

A registered model holds a copy of this file and, among its artifacts, one of `rareflow.generators.portable`.
rareflow itself never imports it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd  # noqa: TC002 - MLflow reads the types of `predict`
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

# MLflow runs this file under a new name at each load. Made a package, it imports what it came with as
# a part of itself, so two versions loaded in one process each run their own.
__path__ = [str(Path(__file__).with_name("artifacts"))]
portable = import_module(f"{__name__}.portable")


class RegisteredGenerator(PythonModel):
    """Counts by label in, that many rows of the training table's form out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the generator, whose files are to have the digests that were logged with it."""
        config = context.model_config or {}
        max_rows = config.get("max_rows", portable.MAX_ROWS)
        self.max_rows = portable.as_whole(max_rows)
        if self.max_rows is None:
            raise MlflowException.invalid_parameter_value(
                f"max_rows of model_config must be a whole number, such as 1000000, not {max_rows!r}"
            )
        folder = context.artifacts["generator"]
        self.generator = portable.PortableGenerator.load(folder, sha256=config.get("sha256"))

    def predict(
        self,
        context: Any,  # noqa: ANN401, ARG002 - a type known here only makes MLflow warn
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Draw the rows that a frame of counts asks for, `max_rows` at most."""
        try:
            self.generator.check_total(model_input, self.max_rows)
            return self.generator.table(model_input, **(params or {}))
        except ValueError as err:  # of any other error a server tells no word to its client
            raise MlflowException.invalid_parameter_value(str(err)) from err


set_model(RegisteredGenerator())
