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


INACTIVE = (
    "[Fri Nov 27 15:24:43 +0000 2026] Application is added to the scheduler and is not yet "
    "activated. Queue's AM resource limit exceeded.  Details : AM Partition = <DEFAULT_PARTITION>; "
    "AM Resource Request = <memory:640, vCores:1>; Queue Resource Limit for AM = <memory:128, "
    "vCores:1>; User AM Resource Limit of the queue = <memory:128, vCores:1>; Queue AM Resource "
    "Usage = <memory:640, vCores:1>; "
)
FULL = (
    "[Fri Nov 27 15:24:43 +0000 2026] Application is Activated, waiting for resources to be "
    "assigned for AM.  Details : AM Partition = <DEFAULT_PARTITION> ; Resource = <memory:4096, "
    "vCores:32> ; Queue's Absolute capacity = 50.0 % ; Queue's Absolute used capacity = 0.0 % ; "
    "Queue's Absolute max capacity = 100.0 % ; "
)
LAUNCHED = (
    "[Fri Nov 27 15:24:43 +0000 2026] AM container is launched, waiting for AM container to "
    "Register with RM"
)


@pytest.mark.parametrize(
    ("state", "diagnostics", "phase", "words"),
    [
        ("NEW", "", "queued", "NEW"),
        ("NEW_SAVING", "", "queued", "NEW_SAVING"),
        ("SUBMITTED", "", "queued", "SUBMITTED"),
        (
            "ACCEPTED",
            INACTIVE,
            "queued",
            "Application is added to the scheduler and is not yet activated. Queue's AM resource "
            "limit exceeded.",
        ),
        (
            "ACCEPTED",
            FULL,
            "scheduling",
            "Application is Activated, waiting for resources to be assigned for AM.",
        ),
        # Other schedulers say nothing.
        ("ACCEPTED", "", "scheduling", ""),
        (
            "ACCEPTED",
            LAUNCHED,
            "starting",
            "AM container is launched, waiting for AM container to Register with RM",
        ),
        (
            "ACCEPTED",
            "[Fri Nov 27 15:24:43 +0000 2026] Scheduler has assigned a container for AM, waiting "
            "for AM container to be launched",
            "starting",
            "Scheduler has assigned a container for AM, waiting for AM container to be launched",
        ),
        (
            "ACCEPTED",
            "Attempt recovered after RM restart",
            "starting",
            "Attempt recovered after RM restart",
        ),
        ("RUNNING", "", "connecting", None),
    ],
)
def test_how_far_a_launch_is(state: str, diagnostics: str, phase: str, words: str | None) -> None:
    sighting = application_sighting(application(state, diagnostics=diagnostics, queue="a"))
    place = " in queue a" if state == "ACCEPTED" else ""
    expected = f"{ONE}{place}: {words}" if words else f"{ONE}{place}"
    assert (sighting.phase, sighting.words) == (phase, "" if words is None else expected)
    # YARN tells nobody's place in a queue.
    assert sighting.position is None


def test_what_an_application_waits_for_is_one_bounded_line() -> None:
    diagnostics = "two\nlines " + "x" * 10_000
    words = application_sighting(application("ACCEPTED", diagnostics=diagnostics)).words
    assert words.startswith(f"{ONE}: two lines x")
    assert len(words) == 500


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
