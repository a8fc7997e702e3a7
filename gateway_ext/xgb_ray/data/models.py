"""What counts as a model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.data.storage import read_booster
from gateway_ext.xgb_ray.errors import ParameterError

if TYPE_CHECKING:
    import xgboost as xgb

DATA_ATTRIBUTE = "xgb_ray"
"""The attribute of a model that carries what prediction has to know of the data, as JSON."""


def load_model(model: Any) -> xgb.Booster:
    """The Booster in the result of a training or search, in a file, or itself.

    Raises:
        ParameterError: there is none.
    """
    import xgboost as xgb

    if hasattr(model, "booster"):
        model = model.booster
        if model is None:
            raise ParameterError("the training did not complete a round: there is no model")
    if isinstance(model, str | os.PathLike):
        return read_booster(os.fspath(model))
    if not isinstance(model, xgb.Booster):
        raise ParameterError(f"a {type(model).__name__} is not a model")
    return model
