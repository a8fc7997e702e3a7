"""Rounds in a group of one, left and resumed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from gateway_ext.xgb_ray.worker.boosting import Boosting, Recipe, TrainState, pickled


class Third(xgb.callback.TrainingCallback):
    """Has enough after the third round, and says so once."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        return epoch == 2


def test_a_callback_that_had_enough_is_heard_though_the_world_breaks() -> None:
    data = xgb.QuantileDMatrix(np.arange(20).reshape(10, 2), np.arange(10))
    recipe = Recipe({}, 10, pickled((None, None)))

    def boosting(state: TrainState) -> Boosting:
        return Boosting(recipe, state, data, [], threads=1, rank=0, world_size=1)

    def publish(rounds: int, last: Any) -> None:
        if rounds == 3:
            # As when somebody dies before all have agreed.
            raise ConnectionAbortedError

    first = boosting(TrainState(callbacks=pickled([Third()])))
    with pytest.raises(ConnectionAbortedError):
        first.run(lambda: 0, publish, lambda state: None)
    state = first.state()
    assert (state.rounds, state.evaluated) == (3, 3)
    second = boosting(state)
    assert second.run(lambda: 0, lambda rounds, last: None, lambda state: None) == "finished"
    assert second.rounds == 3
