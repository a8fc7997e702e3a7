"""A training in the background, and the result that it leaves."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.data.models import DATA_ATTRIBUTE
from gateway_ext.xgb_ray.errors import TrainingError, XGBRayError
from gateway_ext.xgb_ray.training.controller import Controller
from gateway_ext.xgb_ray.training.phases import Phase
from gateway_ext.xgb_ray.training.result import TrainResult
from gateway_ext.xgb_ray.training.status import Status

if TYPE_CHECKING:
    import xgboost as xgb


class Run(Background[TrainResult]):
    """A training in the background. `wait` for its result; `stop` keeps the model so far."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._begin()

    def carry_out(self) -> None:
        """Train; there is a result after a failure too."""
        error: BaseException | None = None
        try:
            self._controller.run()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._result = make_result(self._controller, error)
            if isinstance(error, TrainingError):
                error.result = self._result

    def stop(self) -> None:
        """Stop after the round that is being computed; the model so far is kept."""
        self._controller.stop()

    def stop_now(self) -> None:
        """Stop at once, with the newest model that the driver holds."""
        self._controller.stop_now()

    @property
    def events(self) -> list[Any]:
        """What happened so far."""
        return list(self._controller.record.events)

    def status(self) -> Status:
        """Where the training is."""
        plan, record = self._controller.plan, self._controller.record
        total = plan.recipe.rounds
        left = max(0, total - record.rounds)
        known = record.round_seconds and not record.phase.final
        return Status(
            phase=record.phase,
            rounds=record.rounds,
            total=total,
            metrics=record.metrics,
            alive=self._controller.workers.alive,
            workers=plan.workers,
            seconds=record.timings.get("total", time.monotonic() - record.started),
            eta=left * record.round_seconds if known else None,
            failures=sum(e.kind in ("lost", "frozen") for e in list(record.events)),
        )


def make_result(controller: Controller, error: BaseException | None) -> TrainResult:
    """The result from what a controller holds after its end."""
    import xgboost as xgb

    record = controller.record
    state = record.state
    booster: xgb.Booster | None = None
    if state.model is not None:
        booster = xgb.Booster(model_file=bytearray(state.model))
        booster.set_attr(**{DATA_ATTRIBUTE: json.dumps(_data_facts(controller))})
    phase = record.phase.value if record.phase.final else Phase.FAILED.value
    message = ""
    if error is not None:
        message = str(error) if isinstance(error, XGBRayError) else repr(error)
    return TrainResult(
        booster=booster,
        evals_result=state.history,
        events=list(record.events),
        timings=dict(record.timings),
        state=phase,
        rounds=state.rounds,
        params=dict(controller.plan.recipe.params),
        facts={
            "workers": controller.plan.workers,
            **controller.loaded,
            "peak_memory_bytes": controller.workers.peak_memory,
            "cpu_seconds": round(controller.cpu_seconds, 2),
        },
        error=message,
    )


def _data_facts(controller: Controller) -> dict[str, Any]:
    columns = controller.plan.columns["train"]
    layout = controller.layout
    return {
        "features": list(columns.features) if columns.features else None,
        "vector": columns.vector,
        "categories": {k: list(v) for k, v in layout.categories.items()} if layout else {},
        "missing": None if columns.missing != columns.missing else columns.missing,
        "densify": columns.densify,
        "label": list(columns.label),
    }
