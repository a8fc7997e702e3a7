"""The model so far in a file: written, not written, and read again."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from gateway_ext.xgb_ray.errors import ClusterError, DataError
from gateway_ext.xgb_ray.training.checkpoint import load_checkpoint, saver
from gateway_ext.xgb_ray.training.progress import Record
from gateway_ext.xgb_ray.worker.boosting import TrainState, pickled


def booster(rounds: int) -> bytes:
    data = xgb.QuantileDMatrix(np.arange(20).reshape(10, 2), np.arange(10))
    return bytes(xgb.train({}, data, rounds).save_raw("ubj"))


def test_an_empty_file_is_no_checkpoint(tmp_path: Path) -> None:
    # XGBoost would end the process.
    (tmp_path / "model").touch()
    with pytest.raises(DataError, match="is not a checkpoint"):
        load_checkpoint(str(tmp_path / "model"), TrainState())


def test_a_new_folder_and_back(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "model")
    saver(path)(TrainState(rounds=2, evaluated=2, model=booster(2), callbacks=pickled([])))
    found = load_checkpoint(path, TrainState(callbacks=pickled([])))
    assert (found.rounds, found.evaluated, found.begun) == (2, 2, True)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["model"]


def test_early_stopping_counts_from_the_model_that_was_continued(tmp_path: Path) -> None:
    path = str(tmp_path / "model")
    history = {"test": {"rmse": [3.0, 2.0]}}
    saver(path)(TrainState(rounds=2, evaluated=2, model=booster(7), history=history))
    stopping = xgb.callback.EarlyStopping(rounds=3)
    start = TrainState(model=booster(5), callbacks=pickled([stopping]))
    (found,) = pickle.loads(load_checkpoint(path, start).callbacks)
    assert found.starting_round == 5
    assert found.best_scores["test"]["rmse"][-1] == 2.0


def test_only_a_first_checkpoint_that_cannot_be_written_ends_a_training() -> None:
    works = False

    def save(state: TrainState) -> None:
        if not works:
            raise OSError("the bucket is gone")

    def made() -> Record:
        return Record(TrainState(), checkpoint_every=1, save_checkpoint=save, changed=lambda: None)

    with pytest.raises(ClusterError, match="bucket is gone"):
        made().adopt(TrainState(rounds=1))
    record, works = made(), True
    record.adopt(TrainState(rounds=1))
    works = False
    record.adopt(TrainState(rounds=2))
    assert [(e.kind, e.detail) for e in record.events] == [
        ("checkpoint", {}),
        ("checkpoint", {"failed": "the bucket is gone"}),
    ]
