"""What a pod's events add to its status."""

from typing import Any

import pytest

from gateway_ext.process_proxies.pod_events import with_events
from gateway_ext.process_proxies.sighting import Obstacle, Sighting, alive

PENDING = "the pod is pending"


def event(reason: str, message: str = "", at: int = 0, **more: Any) -> dict[str, Any]:
    moment = f"2026-01-01T00:00:{at:02}Z"
    return {"reason": reason, "message": message, "lastTimestamp": moment, **more}


PULLING = event("Pulling", 'Pulling image "team/kernel:7"', 3)
PULLED = event("Pulled", 'Successfully pulled image "team/kernel:7" in 20.3s', 5)
MOUNT = event("FailedMount", 'secret "x" not found', 2, type="Warning")
NO_ROOM = event("FailedScheduling", "0/3 nodes are available", 1, type="Warning")
SCALE_UP = event("TriggeredScaleUp", "pod triggered scale-up: [{nodes 3->4}]", 2)


@pytest.mark.parametrize(
    ("events", "phase", "seen", "words"),
    [
        ([], "starting", "starting", PENDING),
        ([PULLING], "starting", "pulling", PULLING["message"]),
        ([PULLED, PULLING], "pulling", "starting", PULLED["message"]),
        ([MOUNT], "starting", "starting", f"FailedMount: {MOUNT['message']}"),
        # It was mounted in the end.
        ([PULLING, MOUNT], "starting", "pulling", PULLING["message"]),
        # Of before it had a node.
        ([NO_ROOM], "starting", "starting", PENDING),
        ([NO_ROOM], "scheduling", "scheduling", f"FailedScheduling: {NO_ROOM['message']}"),
        ([NO_ROOM, SCALE_UP], "scheduling", "scheduling", SCALE_UP["message"]),
        ([PULLING], "scheduling", "scheduling", PENDING),
        ([event("Scheduled", "assigned")], "starting", "starting", PENDING),
        # In one second: the later version.
        (
            [
                {**PULLED, "metadata": {"resourceVersion": "10"}},
                {**PULLING, "lastTimestamp": PULLED["lastTimestamp"], "metadata": {}},
            ],
            "starting",
            "starting",
            PULLED["message"],
        ),
    ],
)
def test_what_events_add(events: list[dict[str, Any]], phase: str, seen: str, words: str) -> None:
    told = with_events(alive(PENDING, phase=phase), events)
    assert (told.phase, told.words) == (seen, words)


def test_an_obstacle_in_the_status_says_more() -> None:
    obstacle = alive("ImagePullBackOff: no such image", Obstacle.LASTING, phase="pulling")
    assert with_events(obstacle, [PULLING]) == obstacle


def test_an_event_counts_from_when_it_was_last_seen() -> None:
    again = {"reason": "FailedMount", "type": "Warning", "message": "again"}
    series = {"series": {"lastObservedTime": "2026-01-01T00:00:59.123456Z"}}
    told: Sighting = with_events(alive(PENDING, phase="starting"), [{**again, **series}, PULLING])
    assert told.words == "FailedMount: again"
