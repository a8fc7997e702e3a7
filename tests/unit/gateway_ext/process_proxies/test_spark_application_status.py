"""What a SparkApplication says of the agent in its driver."""

from typing import Any

import pytest

from gateway_ext.process_proxies.agent_process import AgentLife
from gateway_ext.process_proxies.sighting import Obstacle, alive, dead, unknown
from gateway_ext.process_proxies.spark_application_status import (
    application_sighting,
    with_driver,
)

ALIVE, DEAD, UNKNOWN = AgentLife.ALIVE, AgentLife.DEAD, AgentLife.UNKNOWN


def application(state: str = "", message: str = "", uid: str = "u1") -> dict[str, Any]:
    told = {"state": state, "errorMessage": message} if state else {}
    return {
        "metadata": {"uid": uid, "labels": {"fleet-launch": "l1"}},
        "status": {"applicationState": told} if told else {},
    }


FAILED = "driver container failed with ExitCode: 1, Reason: Error"


@pytest.mark.parametrize(
    ("found", "life", "obstacle", "words"),
    [
        (None, DEAD, Obstacle.NONE, "does not exist any more"),
        (application(uid="u2"), DEAD, Obstacle.NONE, "another one has its name"),
        (application(), ALIVE, Obstacle.NONE, "is the Spark operator running"),
        (application("SUBMITTED"), ALIVE, Obstacle.NONE, "SUBMITTED"),
        (application("RUNNING"), ALIVE, Obstacle.NONE, "RUNNING"),
        (application("SUSPENDED"), ALIVE, Obstacle.NONE, "SUSPENDED"),
        (application("FAILING", FAILED), ALIVE, Obstacle.NONE, FAILED),
        (application("FAILED", FAILED), DEAD, Obstacle.NONE, FAILED),
        (application("COMPLETED"), DEAD, Obstacle.NONE, "COMPLETED"),
        (
            application("SUBMISSION_FAILED", "failed to run spark-submit: exit status 1"),
            ALIVE,
            Obstacle.FINAL,
            "exit status 1",
        ),
        (application("UNKNOWN"), UNKNOWN, Obstacle.NONE, "UNKNOWN"),
        (application("OF_A_LATER_VERSION"), UNKNOWN, Obstacle.NONE, "OF_A_LATER_VERSION"),
    ],
)
def test_what_an_application_says(
    found: dict[str, Any] | None, life: AgentLife, obstacle: Obstacle, words: str
) -> None:
    sighting = application_sighting(found, uid="u1", launch="l1")
    assert (sighting.life, sighting.obstacle) == (life, obstacle)
    assert words in sighting.words


def test_the_driver_s_pod_says_why_nothing_happens() -> None:
    submitted = alive("SUBMITTED")
    pulls = alive("ImagePullBackOff: no such image", Obstacle.LASTING)
    both = with_driver(submitted, pulls)
    assert both == alive("SUBMITTED, its driver: ImagePullBackOff: no such image", Obstacle.LASTING)
    # Ends are the operator's to tell: it has looked at the driver longer than we have.
    assert with_driver(submitted, dead("exit code 1")) == submitted
    assert with_driver(submitted, unknown("gone")) == submitted
    assert with_driver(submitted, None) == submitted
    assert with_driver(dead("FAILED"), pulls) == dead("FAILED")


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("", "scheduling"),
        ("SUBMITTED", "scheduling"),
        ("SUSPENDED", "queued"),
        ("RUNNING", "connecting"),
        ("FAILED", ""),
        ("UNKNOWN", ""),
    ],
)
def test_how_far_an_application_is(state: str, phase: str) -> None:
    assert application_sighting(application(state), uid="u1", launch="l1").phase == phase


def test_the_driver_s_pod_says_how_far_it_is() -> None:
    submitted = alive("SUBMITTED", phase="scheduling")
    pulls = alive("Pulling image", phase="pulling")
    assert with_driver(submitted, pulls).phase == "pulling"
    assert with_driver(submitted, alive(phase="connecting")) == alive(
        "SUBMITTED", phase="connecting"
    )
    assert with_driver(submitted, alive("the pod is being ended")).phase == "scheduling"
