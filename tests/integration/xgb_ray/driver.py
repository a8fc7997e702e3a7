"""A program that trains, to be killed by tests: `python driver.py JSON`.

It prints a line of JSON for each change: rounds, and the process ids of the workers.
"""

from __future__ import annotations

import json
import sys
import time

from gateway_ext.xgb_ray import start_training
from gateway_ext.xgb_ray.ray_cluster.connect import connect
from tests.integration.xgb_ray.rounds import unhurried


def main() -> None:
    given = json.loads(sys.argv[1])
    options = given["options"]
    if given.get("slow"):
        options["callbacks"] = [unhurried(given["slow"])]
    if options["cluster"] == "local":
        # As many as its workers need, whatever this machine has.
        connect("local", local_cpus=options["workers"])
    run = start_training(given["params"], given["data"], "label", **options)
    before = None
    while not run.done:
        workers = run._controller.workers
        facts = {
            "rounds": run.status().rounds,
            "pids": [s.pid for s in workers.ready],
            "nodes": [s.node for s in workers.ready],
            "waiting": run.status().phase.value in ("waiting", "placing"),
        }
        if facts != before:
            print(json.dumps(facts), flush=True)
        before = facts
        time.sleep(0.01)
    result = run.result
    told = {
        "state": result.state if result else "none",
        "error": str(run.error or ""),
        "rounds": result.rounds if result else 0,
        "history": result.evals_result if result else {},
        "events": [(e.kind, e.round, e.detail) for e in result.events] if result else [],
    }
    print(json.dumps(told, default=str), flush=True)


if __name__ == "__main__":
    main()
