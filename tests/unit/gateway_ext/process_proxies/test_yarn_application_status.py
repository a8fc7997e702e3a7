"""What YARN's ResourceManager says of an application."""

from typing import Any

import pytest

from gateway_ext.process_proxies.agent_process import AgentLife
from gateway_ext.process_proxies.yarn_application_status import (
    application_sighting,
    newest,
    unknown_application,
)

ALIVE, DEAD, UNKNOWN = AgentLife.ALIVE, AgentLife.DEAD, AgentLife.UNKNOWN
ONE = "YARN application application_1_0001"
LIMIT = "Application is added to the scheduler and is not yet activated. Queue's AM resource limit"
QUEUE = "Application application_1_0001 submitted by user ada to unknown queue: nowhere"
PREEMPTED = "AM Container for appattempt_1_0001_000001 exited with exitCode: -102"


def application(state: str, **more: Any) -> dict[str, Any]:
    return {"id": "application_1_0001", "state": state, **more}


@pytest.mark.parametrize(
    ("found", "life", "words"),
    [
        (application("NEW", diagnostics="x"), ALIVE, f"{ONE}: NEW"),
        (application("NEW_SAVING"), ALIVE, f"{ONE}: NEW_SAVING"),
        (application("SUBMITTED"), ALIVE, f"{ONE}: SUBMITTED"),
        (application("ACCEPTED", diagnostics=LIMIT), ALIVE, f"{ONE}: {LIMIT}"),
        (application("ACCEPTED"), ALIVE, ONE),
        (application("RUNNING", finalStatus="UNDEFINED"), ALIVE, ""),
        (application("FINISHED"), DEAD, f"{ONE}: FINISHED"),
        (application("FINISHED", finalStatus="SUCCEEDED"), DEAD, f"{ONE}: FINISHED"),
        (
            application("FINISHED", finalStatus="FAILED"),
            DEAD,
            f"{ONE}: FINISHED (final status FAILED)",
        ),
        (application("FAILED", diagnostics=f"{QUEUE}\n"), DEAD, f"{ONE}: FAILED: {QUEUE}"),
        (
            application("FAILED", finalStatus="FAILED", diagnostics=PREEMPTED),
            DEAD,
            f"{ONE}: FAILED: {PREEMPTED}",
        ),
        (
            application("KILLED", finalStatus="UNDEFINED", diagnostics="by user"),
            DEAD,
            f"{ONE}: KILLED: by user",
        ),
        (application("OF_A_LATER_VERSION"), UNKNOWN, f"{ONE} is in state OF_A_LATER_VERSION"),
        (application(""), UNKNOWN, f"{ONE} is in state unnamed"),
    ],
)
def test_what_an_application_says(found: dict[str, Any], life: AgentLife, words: str) -> None:
    sighting = application_sighting(found)
    assert sighting.life is life
    assert sighting.words == words


@pytest.mark.parametrize(
    ("cluster", "life"),
    [
        ({"state": "STARTED", "haState": "ACTIVE"}, DEAD),
        ({"state": "STARTED"}, DEAD),
        ({"state": "STARTED", "haState": "STANDBY"}, UNKNOWN),
        ({"state": "INITED", "haState": "INITIALIZING"}, UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_only_an_active_resource_manager_knows_that_there_is_none(
    cluster: dict[str, Any] | None, life: AgentLife
) -> None:
    sighting = unknown_application("application_1_0001", cluster)
    assert sighting.life is life
    assert sighting.words.startswith("YARN does not know application application_1_0001")


def test_the_newest_application_is_found_by_number_not_by_letters() -> None:
    ids = ["application_1790000000000_9999", "application_1790000000000_10000"]
    found = newest([{"id": one} for one in ids])
    assert found is not None
    assert found["id"] == ids[1]
    assert newest([]) is None
