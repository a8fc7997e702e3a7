"""What runs inside a RayJob: `python -m gateway_ext.xgb_ray.job task.json`.

The task is JSON: `{"params", "data", "label", "options", "out"}`, where data are paths that every
pod can read and `out` is a folder or URI for `model.ubj` and `result.json`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def run_task(task: dict[str, Any], cluster: str = "auto") -> int:
    """Train as the task says, printing progress a line at a time; returns the exit code.

    The model so far is written after a failure too.
    """
    from gateway_ext.xgb_ray.errors import TrainingError, XGBRayError
    from gateway_ext.xgb_ray.prediction import _target
    from gateway_ext.xgb_ray.summary import status_text
    from gateway_ext.xgb_ray.training import start_training

    filesystem, folder = _target(task["out"])
    try:
        run = start_training(
            task["params"], task["data"], task["label"], cluster=cluster, **task["options"]
        )
    except XGBRayError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return 2
    before = ""
    while not run.done:
        run.pause(2)
        line = status_text(run.status())
        if line != before:
            print(line, flush=True)
        before = line
    result = run.result
    if result is None:
        print(f"the training could not be run: {run.error}", flush=True)
        return 1
    if result.booster is not None:
        with filesystem.open_output_stream(f"{folder}/model.ubj") as stream:
            stream.write(bytes(result.booster.save_raw("ubj")))
    summary: dict[str, Any] = {
        "state": result.state,
        "rounds": result.rounds,
        "evals_result": result.evals_result,
        "timings": result.timings,
        "events": [str(event) for event in result.events],
        "error": result.error,
    }
    with filesystem.open_output_stream(f"{folder}/result.json") as stream:
        stream.write(json.dumps(summary).encode())
    print("\n".join(summary["events"]), flush=True)
    print(result.error or f"wrote {folder}/model.ubj", flush=True)
    return 1 if isinstance(run.error, TrainingError) or run.error is not None else 0


def main() -> None:
    """The entry point of the RayJob."""
    with open(sys.argv[1]) as file:
        task = json.load(file)
    sys.exit(run_task(task))


if __name__ == "__main__":
    main()
