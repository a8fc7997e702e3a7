"""What the runner tells the tests: how long they have, and which clusters are not there."""

import json
import os
import time

DEADLINE_VARIABLE = "FLEET_CLUSTERS_DEADLINE"
"""Seconds of time.monotonic() after which no test begins."""
UNAVAILABLE_VARIABLE = "FLEET_CLUSTERS_UNAVAILABLE"
"""JSON object: cluster to reason."""
FAILURES_FILE = "failures"
"""In the folder of the run: the tests that failed, one a line, for a run that is cut off."""


def is_over() -> bool:
    """Whether the time for tests is over."""
    deadline = os.environ.get(DEADLINE_VARIABLE)
    return deadline is not None and time.monotonic() >= float(deadline)


def why_unavailable(cluster: str) -> str | None:
    """Why a cluster cannot be had; None if it can."""
    if UNAVAILABLE_VARIABLE not in os.environ:
        return "only `make test-clusters` prepares clusters"
    reason: str | None = json.loads(os.environ[UNAVAILABLE_VARIABLE]).get(cluster)
    return reason
