"""The generator as an imbalanced-learn sampler: `fit_resample` balances a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import validate_data

from rareflow.errors import ConfigError, DataError
from rareflow.generators.estimators import VAEWGANGP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["VAEWGANGPSampler"]


class VAEWGANGPSampler(BaseOverSampler):
    """Over-sample with rows forged by a conditional VAE-WGAN-GP.

    Parameters
    ----------
    sampling_strategy
        imbalanced-learn's: ``"auto"``, ``"minority"``, ``"not minority"``, ``"not majority"``, ``"all"``, a
        float for two classes, a mapping of class to rows wanted, or a callable that gives one.
    generator
        An unfitted `VAEWGANGP`, cloned before it is fitted; ``None`` takes its defaults.
    random_state
        Seed of training and sampling; ``None``: the generator's own.

    Attributes
    ----------
    generator_
        The fitted `VAEWGANGP`; trained on all rows, so that rare classes borrow what the others know.
    synthetic_mask_
        Boolean, one entry a returned row: true where the row is forged. Real rows come first, in their order.
    """

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 - scikit-learn's own form
        **BaseOverSampler._parameter_constraints,  # noqa: SLF001
        "generator": [VAEWGANGP, None],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",  # noqa: ANN401 - imbalanced-learn's
        generator: VAEWGANGP | None = None,
        random_state: Any = None,  # noqa: ANN401 - scikit-learn's
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.generator = generator
        self.random_state = random_state

    def fit_resample(self, X: Any, y: Any, **params: Any) -> tuple[Any, Any]:  # noqa: ANN401 - imbalanced-learn's
        """Train on a labelled table, and give it with forged rows below its own.

        Parameters
        ----------
        X
            Features ``(rows, columns)``, as `VAEWGANGP.fit` takes them: no sparse matrix.
        y
            The class of each row, ``(rows,)``: by its place, whatever an index says.
        **params
            None; imbalanced-learn's.

        Returns
        -------
        tuple
            X and y with the forged rows, each of its own type; a frame's dtypes are kept.

        Raises
        ------
        DataError, ConfigError, DivergedError
            As of `VAEWGANGP.fit`; besides if `sampling_strategy` asks for what is no whole number of rows.
        """
        if np.ndim(y) == 1 and (missing := int(pd.Series(y).isna().sum())):
            raise DataError(f"y has {missing} missing labels; drop those rows")
        found: tuple[Any, Any] = super().fit_resample(X, y, **params)
        return found

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Any, bool]:  # noqa: ANN401, N802 - imbalanced-learn's hook
        """Check as imbalanced-learn does, but let text, categories and missing values pass."""
        if isinstance(getattr(y, "dtype", None), pd.CategoricalDtype):
            y = np.asarray(y)  # imbalanced-learn makes numbers of categories that are booleans
        y, one_vs_all = check_target_type(y, indicate_one_vs_all=True)
        if isinstance(X, pd.DataFrame):
            X = X.astype({n: d.subtype for n, d in X.dtypes.items() if isinstance(d, pd.SparseDtype)})
        else:
            # Of these numpy would make text of numbers beside text, and numbers of what is masked.
            if isinstance(X, list | tuple | np.ma.MaskedArray) and np.ndim(X) == 2:  # noqa: PLR2004 - a table's
                X = pd.DataFrame(X).to_numpy()
            X = check_array(X, dtype=None, ensure_all_finite=False)
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        return X, y, one_vs_all

    def _fit_resample(self, X: Any, y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:  # noqa: ANN401
        for label, more in self.sampling_strategy_.items():
            if not float(more).is_integer():
                wanted = more + int((y == label).sum())
                raise ConfigError(
                    f"sampling_strategy asks for {wanted} rows of class {label!r}; give a whole number"
                )
        generator = VAEWGANGP() if self.generator is None else self.generator
        state = generator.random_state if self.random_state is None else self.random_state
        seeds = check_random_state(state).randint(2**31, size=1 + len(self.sampling_strategy_))
        self.generator_ = clone(generator).set_params(random_state=int(seeds[0])).fit(X, y)
        forged = [
            self.generator_.sample(label, count, random_state=int(seed))
            for (label, count), seed in zip(self.sampling_strategy_.items(), seeds[1:], strict=True)
        ]
        new_y = np.repeat(list(self.sampling_strategy_), list(self.sampling_strategy_.values())).astype(
            y.dtype
        )
        self.synthetic_mask_ = np.arange(len(y) + len(new_y)) >= len(y)
        if isinstance(X, pd.DataFrame):
            parts = [X, *(frame.set_axis(X.columns, axis=1).astype(X.dtypes) for frame in forged)]
            resampled = pd.concat(parts, ignore_index=True)
        else:
            resampled = np.vstack([X, *(frame.to_numpy(dtype=X.dtype) for frame in forged)])
        return resampled, np.concatenate([y, new_y])

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn's
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        return tags
