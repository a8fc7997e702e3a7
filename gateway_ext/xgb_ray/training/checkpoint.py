"""The model so far as one file, on a disk or in a bucket: a normal XGBoost model that also
carries its metrics, so that training can go on from it after everything else was lost."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gateway_ext.xgb_ray.data.storage import locate, write_file
from gateway_ext.xgb_ray.errors import DataError
from gateway_ext.xgb_ray.worker.boosting import TrainState, pickled

_ATTRIBUTE = "xgb_ray_progress"


def saver(path: str) -> Callable[[TrainState], None]:
    """A function that writes a state to `path` (a file name or a URI), replacing what is there."""

    def save(state: TrainState) -> None:
        import xgboost as xgb

        if state.model is None:
            return
        booster = xgb.Booster(model_file=bytearray(state.model))
        progress = {"rounds": state.rounds, "evaluated": state.evaluated, "history": state.history}
        booster.set_attr(**{_ATTRIBUTE: json.dumps(progress)})
        filesystem, inner = locate(path)
        write_file(filesystem, inner, bytes(booster.save_raw("ubj")))

    return save


def load_checkpoint(path: str, start: TrainState) -> TrainState:
    """The state in a checkpoint, with the callbacks of `start`; `start` itself if none is there.

    Early stopping is brought to where it was by showing it the metrics of the past rounds.

    Raises:
        DataError: the file is no checkpoint.
    """
    import pyarrow.fs as pafs
    import xgboost as xgb

    filesystem, inner = locate(path)
    if filesystem.get_file_info(inner).type != pafs.FileType.File:
        return start
    with filesystem.open_input_stream(inner) as stream:
        raw = stream.read()
    try:
        if not raw:
            # XGBoost ends the process over an empty buffer.
            raise ValueError("it is empty")
        booster = xgb.Booster(model_file=bytearray(raw))
        progress = json.loads(booster.attr(_ATTRIBUTE) or "")
    except (xgb.core.XGBoostError, ValueError) as error:
        raise DataError(f"{path} is not a checkpoint of a training") from error
    booster.set_attr(**{_ATTRIBUTE: None})
    return replace(
        start,
        rounds=progress["rounds"],
        evaluated=progress["evaluated"],
        begun=True,
        model=bytes(booster.save_raw("ubj")),
        history=progress["history"],
        callbacks=_replayed(start, progress["history"], progress["evaluated"]),
    )


def _replayed(start: TrainState, history: dict[str, dict[str, list[float]]], rounds: int) -> bytes:
    import xgboost as xgb

    callbacks = pickle.loads(start.callbacks)  # noqa: S301
    stopping = [c for c in callbacks if isinstance(c, xgb.callback.EarlyStopping)]
    # Whoever continued a model counts rounds from its end.
    empty = xgb.Booster(model_file=bytearray(start.model) if start.model else None)
    for callback in stopping:
        callback.before_training(empty)
        for epoch in range(rounds):
            past: Any = OrderedDict(
                (d, OrderedDict((m, v[: epoch + 1]) for m, v in ms.items()))
                for d, ms in history.items()
            )
            callback.after_iteration(empty, epoch, past)
    return pickled(callbacks)
