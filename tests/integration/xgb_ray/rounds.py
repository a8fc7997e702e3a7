"""Rounds that take long enough for a fault to come in the middle of them."""

from __future__ import annotations

import time
from typing import Any

import xgboost as xgb


def unhurried(seconds: float) -> xgb.callback.TrainingCallback:
    """A callback that does nothing for so long after each round."""

    # Inside of the function, so that it travels by value: workers cannot import tests.
    class Unhurried(xgb.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            time.sleep(seconds)
            return False

    return Unhurried()
