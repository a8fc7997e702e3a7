"""Functions of the user, and whether one is running."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from xgboost.objective import TreeObjective

from gateway_ext.xgb_ray.worker.boosting import Boosting, Recipe, TrainState, pickled
from gateway_ext.xgb_ray.worker.user_code import UserCode

seen: list[tuple[str, bool]] = []
boosting: Boosting


def told(what: str) -> None:
    seen.append((what, boosting.user_code.running))


def objective(predicted: np.ndarray, data: xgb.DMatrix) -> tuple[np.ndarray, np.ndarray]:
    told("objective")
    return predicted - data.get_label(), np.ones_like(predicted)


def metric(predicted: np.ndarray, data: xgb.DMatrix) -> tuple[str, float]:
    told("metric")
    return "distance", float(np.abs(predicted - data.get_label()).mean())


class Callback(xgb.callback.TrainingCallback):
    def before_training(self, model: Any) -> Any:
        told("before_training")
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        told("after_iteration")
        return False


def test_all_that_is_the_users_is_known_to_be_while_it_runs() -> None:
    global boosting
    data = xgb.QuantileDMatrix(np.arange(20).reshape(10, 2), np.arange(10))
    recipe = Recipe({}, 1, pickled((objective, metric)))
    state = TrainState(callbacks=pickled([Callback()]))
    boosting = Boosting(recipe, state, data, [(data, "train")], threads=1, rank=0, world_size=1)
    published = []

    def publish(rounds: int, last: Any) -> None:
        published.append(boosting.user_code.running)

    boosting.run(lambda: 0, publish, lambda state: None)
    assert seen == [
        ("before_training", True),
        ("objective", True),
        ("metric", True),
        ("after_iteration", True),
    ]
    assert published == [False]


class OneTreeForAll(TreeObjective):
    """XGBoost asks an objective for its class."""

    def __call__(self, iteration: int, predicted: Any, data: Any) -> Any:
        return predicted, predicted

    def split_grad(self, iteration: int, gradient: Any, hessian: Any) -> Any:
        return gradient[:, :1], hessian[:, :1]


def test_what_is_watched_passes_for_what_it_is() -> None:
    user_code = UserCode()
    watched = user_code.watched(OneTreeForAll())
    assert isinstance(watched, TreeObjective)
    ones = np.ones((2, 3))
    assert watched(0, ones, None) == (ones, ones)
    assert watched.split_grad(0, ones, ones)[0].shape == (2, 1)
    assert user_code.watched(None) is None


def test_an_error_ends_it_too() -> None:
    user_code = UserCode()
    with pytest.raises(ZeroDivisionError):
        user_code.watched(lambda: 1 / 0)()
    assert not user_code.running
