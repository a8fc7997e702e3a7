"""What runs inside a RayJob: `python -m gateway_ext.xgb_ray.rayjob.entry_point task.json`.

The task is JSON: `{"command", "folder", "arguments"}`. The command is one of `job_folder.COMMANDS`,
the arguments are those of its function, with data and models as paths or URIs that every pod can
read. Progress, log and result go to the folder (see `job_folder`).
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.data.storage import locate
from gateway_ext.xgb_ray.errors import ParameterError, XGBRayError
from gateway_ext.xgb_ray.rayjob.folder import JobFolder
from gateway_ext.xgb_ray.scoring.calibration import Calibration, calibrate
from gateway_ext.xgb_ray.scoring.prediction import predict
from gateway_ext.xgb_ray.training.status import Status
from gateway_ext.xgb_ray.training.train import start_training
from gateway_ext.xgb_ray.tuning.result import TuneStatus
from gateway_ext.xgb_ray.tuning.space import read_space
from gateway_ext.xgb_ray.tuning.tune import start_tuning

_REPORT_SECONDS = 2.0


class _Call(Background[Any]):
    """Runs a function that reports no progress."""

    what = "job"

    def __init__(self, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        self._function, self._arguments = function, arguments
        self._begin()

    @property
    def events(self) -> list[str]:
        """Nothing is told."""
        return []

    def status(self) -> str:
        """That it runs."""
        return "running"

    def carry_out(self) -> None:
        """Call the function."""
        self._result = self._function(**self._arguments)

    def stop(self) -> None:
        """Cannot be; the pods are removed instead."""

    def stop_now(self) -> None:
        """Cannot be; the pods are removed instead."""


class _Tee(io.TextIOBase):
    """Standard output that is kept for the folder too."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return self._out.write(text)

    def flush(self) -> None:
        self._out.flush()


def run_task(task: dict[str, Any]) -> int:
    """Do what the task says, printing progress a line at a time; returns the exit code."""
    folder = JobFolder(task["folder"])
    command = task["command"]
    tee = _Tee(sys.stdout)
    with contextlib.redirect_stdout(tee):
        try:
            folder.write("log.txt", b"")
        except OSError as refused:
            # Better now than with a model that cannot be kept.
            print(f"the job cannot write to {folder.uri}: {refused}", flush=True)
            return 1
        result: Any = None
        error: BaseException | None = None
        try:
            run = _start(command, task["arguments"], folder)
            _follow(run, folder, tee)
            result, error = run.result, run.error
        except Exception as caught:
            error = caught
        for event in getattr(result, "events", []):
            print(event)
        if error is None:
            print(f"{command}: done, {task['folder']} has the result")
        else:
            kind = "" if isinstance(error, XGBRayError) else f"{type(error).__name__}: "
            print(f"{command} failed: {kind}{error}")
        tee.flush()
        _keep(lambda: folder.write("log.txt", tee.text.encode()))
        _keep(lambda: folder.save(command, result, error))
    return 0 if error is None else 1


def _keep(write: Callable[[], None], tries: int = 6) -> None:
    """Write what must not be lost, also if the store is away for a moment."""
    for left in reversed(range(tries)):
        try:
            return write()
        except OSError as error:
            print(f"the result cannot be written: {error}", flush=True)
            if not left:
                raise
            time.sleep(5)


def _start(command: str, arguments: dict[str, Any], folder: JobFolder) -> Background[Any]:
    a = {**arguments, "cluster": "auto"}
    if command == "train":
        return start_training(**a)
    if command == "tune":
        a["space"] = read_space(a["space"])
        a.setdefault("storage", folder.path("trials"))
        return start_tuning(**a)
    if command == "predict":
        if a.get("calibration") is not None:
            a["calibration"] = _read_calibration(a["calibration"])
        return _Call(predict, a)
    if command == "calibrate":
        return _Call(calibrate, a)
    raise ParameterError(f"a rayjob cannot run {command!r}")


def _read_calibration(path: str) -> Calibration:
    filesystem, inner = locate(path)
    with filesystem.open_input_stream(inner) as stream:
        return Calibration.from_json(bytes(stream.read()).decode())


def _follow(run: Background[Any], folder: JobFolder, tee: _Tee) -> None:
    """Write the progress until the end, and check whether to stop."""
    before, reported = "", 0.0
    while not run.done:
        run.pause(0.2)
        if time.monotonic() - reported < _REPORT_SECONDS and not run.done:
            continue
        reported = time.monotonic()
        asked = ""
        # A store that is away for a moment does not end a training.
        with contextlib.suppress(OSError):
            now = run.status()
            if str(now) != before:
                print(now, flush=True)
                before = str(now)
            if isinstance(now, Status | TuneStatus):
                folder.report(now)
            folder.write("log.txt", tee.text.encode())
            asked = folder.asked_to_stop()
        if asked:
            run.stop() if asked == "soon" else run.stop_now()


def main() -> None:
    """The entry point of the RayJob."""
    with open(sys.argv[1]) as file:
        task = json.load(file)
    sys.exit(run_task(task))


if __name__ == "__main__":
    main()
