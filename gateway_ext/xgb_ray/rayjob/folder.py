"""The folder of one job of a cluster, in storage that its pods and the notebook both reach.

| file | written by | what |
|---|---|---|
| `progress.json` | the job | how far it is, renewed every two seconds |
| `log.txt` | the job | what it printed; there when its pods are gone |
| `result.json`, `model.ubj`, `calibration.json` | the job | what it leaves, also after a failure |
| `data/`, `start.ubj`, `calibration-in.json` | the notebook | what it had in memory |
| `stop` | the notebook | "soon" or "now" |
| `pods.log` | the notebook | the pods' own words when the job failed before it could say why |
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from gateway_ext.xgb_ray import errors
from gateway_ext.xgb_ray.data.storage import Folder
from gateway_ext.xgb_ray.errors import ClusterError, TrainingError, XGBRayError
from gateway_ext.xgb_ray.scoring.calibration import Calibration
from gateway_ext.xgb_ray.training.phases import Phase
from gateway_ext.xgb_ray.training.result import Event, TrainResult
from gateway_ext.xgb_ray.training.status import Status
from gateway_ext.xgb_ray.tuning.result import TuneResult, TuneStatus

COMMANDS = ("train", "tune", "predict", "calibrate")
_KINDS = {
    c.__name__: c
    for c in vars(errors).values()
    if isinstance(c, type) and issubclass(c, XGBRayError)
}


class JobFolder(Folder):
    """What a job and a notebook tell each other."""

    def report(self, status: Status | TuneStatus) -> None:
        """Say how far the job is."""
        self.write("progress.json", _json(_plain(status)))

    def progress(self) -> Status | TuneStatus | None:
        """How far the job was when it last said so; None before."""
        raw = self.read("progress.json")
        if raw is None:
            return None
        status = json.loads(raw)
        if "phase" in status:
            return Status(**{**status, "phase": Phase(status["phase"])})
        return TuneStatus(**status)

    def ask_to_stop(self, how: str) -> None:
        """`how` is "soon", which keeps what there is after this round, or "now"."""
        self.write("stop", how.encode())

    def asked_to_stop(self) -> str:
        """ "soon", "now", or "" if nobody asked."""
        return (self.read("stop") or b"").decode()

    def save(self, command: str, result: Any, error: BaseException | None) -> None:
        """Leave the result of a command, or what there is of it, and why it failed."""
        facts: dict[str, Any] = {"command": command}
        if error is not None:
            kind = type(error).__name__ if isinstance(error, XGBRayError) else "TrainingError"
            facts["error"] = {"kind": kind, "message": str(error) or repr(error)}
        if isinstance(result, TrainResult | TuneResult):
            if result.booster is not None:
                self.write("model.ubj", bytes(result.booster.save_raw("ubj")))
            facts["result"] = _plain(result)
        elif isinstance(result, Calibration):
            self.write("calibration.json", result.to_json().encode())
        elif result is not None:
            facts["result"] = result
        # Last: whoever sees it finds the rest.
        self.write("result.json", _json(facts))

    def load(self) -> tuple[Any, XGBRayError | None] | None:
        """The result and why the command failed; None while there is neither."""
        raw = self.read("result.json")
        if raw is None:
            return None
        facts = json.loads(raw)
        result = self._result(facts["command"], facts.get("result"))
        if "error" not in facts:
            return result, None
        error = _KINDS.get(facts["error"]["kind"], ClusterError)(facts["error"]["message"])
        if isinstance(error, TrainingError):
            error.result = result
        return result, error

    def _result(self, command: str, found: Any) -> Any:
        if command == "calibrate":
            raw = self.read("calibration.json")
            return None if raw is None else Calibration.from_json(raw.decode())
        if found is None or command == "predict":
            return found
        if command == "tune":
            return TuneResult(**found, booster=self.booster())
        events = [Event(**e) for e in found.pop("events")]
        return TrainResult(**found, events=events, booster=self.booster())

    def booster(self) -> Any:
        """The model that the job left, or None."""
        import xgboost as xgb

        raw = self.read("model.ubj")
        return xgb.Booster(model_file=bytearray(raw)) if raw else None


def _plain(value: Status | TuneStatus | TrainResult | TuneResult) -> dict[str, Any]:
    facts = {k: v for k, v in vars(value).items() if k != "booster"}
    if isinstance(value, TrainResult):
        facts["events"] = [asdict(e) for e in value.events]
    if isinstance(value, Status):
        facts["phase"] = value.phase.value
    return facts


def _json(value: Any) -> bytes:
    # Details of events and parameters may be numbers of NumPy's.
    return json.dumps(value, default=lambda v: v.item() if hasattr(v, "item") else str(v)).encode()
