"""The state of an agent according to its SparkApplication's status.

The states are those of kubeflow/spark-operator, `ApplicationStateType` in api/v1beta2.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway_ext.process_proxies.agent_process import AgentLife
from gateway_ext.process_proxies.pod_status import LAUNCH_LABEL
from gateway_ext.process_proxies.sighting import Obstacle, Sighting, alive, dead, unknown

_ENDED = frozenset({"COMPLETED", "FAILED"})
_GOES_ON = frozenset(
    {
        "SUBMITTED",
        "RUNNING",
        "SUCCEEDING",
        "FAILING",
        "PENDING_RERUN",
        "INVALIDATING",
        "SUSPENDING",
        "SUSPENDED",
        "RESUMING",
    }
)

_PHASES = {"RUNNING": "connecting", "SUSPENDED": "queued", "SUSPENDING": "queued"}
"""The others wait for the operator, or for the driver's pod."""


def application_sighting(
    application: Mapping[str, Any] | None, *, uid: str, launch: str
) -> Sighting:
    """What the application that was found under our name says; None if there is none."""
    if application is None:
        return dead("the SparkApplication does not exist any more")
    metadata = application["metadata"]
    if uid and metadata.get("uid") != uid:
        return dead("the SparkApplication does not exist any more: another one has its name")
    if (metadata.get("labels") or {}).get(LAUNCH_LABEL) != launch:
        return dead("there is no such SparkApplication: another one has its name")
    told = (application.get("status") or {}).get("applicationState") or {}
    state = told.get("state") or ""
    message = (told.get("errorMessage") or "").strip()
    words = f"{state}: {message}" if message else state
    if not state:
        return alive(
            "the SparkApplication is not submitted yet: is the Spark operator running, and "
            "does it watch this namespace?",
            phase="scheduling",
        )
    if state in _ENDED:
        return dead(words)
    if state == "SUBMISSION_FAILED":
        # It is not submitted again: the restart policy is Never.
        return alive(words, Obstacle.FINAL)
    if state in _GOES_ON:
        return alive(words, phase=_PHASES.get(state, "scheduling"))
    return unknown(f"the state of the SparkApplication is {words}")


def with_driver(application: Sighting, driver: Sighting | None) -> Sighting:
    """The operator says little while a driver does not start; its pod says why."""
    if (
        driver is None
        or application.life is not AgentLife.ALIVE
        or application.obstacle is not Obstacle.NONE
        or driver.life is not AgentLife.ALIVE
    ):
        return application
    if not driver.words:
        return replace(application, phase=driver.phase or application.phase)
    return alive(
        f"{application.words}, its driver: {driver.words}",
        driver.obstacle,
        phase=driver.phase or application.phase,
        position=driver.position,
    )
