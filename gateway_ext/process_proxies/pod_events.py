"""How far a pod is according to its events.

Its status does not say which image is pulled, or what a container waits for; the kubelet's events
do (reasons of the kubelet's `events` package). Clusters keep events for an hour, and may drop them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway_ext.process_proxies.sighting import Obstacle, Sighting

EVENTFUL = frozenset({"scheduling", "pulling", "starting"})
"""The phases of which events can say more."""

_OF_SCHEDULING = frozenset({"FailedScheduling", "TriggeredScaleUp", "NotTriggerScaleUp"})
_PHASES = {"Pulling": "pulling", "Pulled": "starting", "Created": "starting"}


def with_events(sighting: Sighting, events: Sequence[Mapping[str, Any]]) -> Sighting:
    """What the newest event adds to what the pod's status says: the image that is pulled, or why
    the container is not made yet. An obstacle that the status names says more."""
    if sighting.obstacle is not Obstacle.NONE:
        return sighting
    told = [event for event in events if _matters(event, sighting.phase)]
    if not told:
        return sighting
    newest = max(told, key=_time)
    reason, message = str(newest.get("reason") or ""), str(newest.get("message") or "").strip()
    phase = _PHASES.get(reason, sighting.phase)
    if newest.get("type") == "Warning":
        message = f"{reason}: {message}" if message else reason
    return replace(sighting, phase=phase, words=message or sighting.words)


def _matters(event: Mapping[str, Any], phase: str) -> bool:
    """Whether the event is about this phase: a scheduler's and an autoscaler's before the pod has a
    node, a kubelet's from then on."""
    reason = event.get("reason")
    of_scheduling = reason in _OF_SCHEDULING
    if phase == "scheduling" or of_scheduling:
        return phase == "scheduling" and of_scheduling
    return reason in _PHASES or event.get("type") == "Warning"


def _time(event: Mapping[str, Any]) -> tuple[str, int]:
    """When it happened last, in whole seconds, and its version: of two in one second the later."""
    series = event.get("series") or {}
    candidates = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        (event.get("metadata") or {}).get("creationTimestamp"),
    )
    metadata = event.get("metadata") or {}
    version = str(metadata.get("resourceVersion") or "")
    last = max((str(one)[:19] for one in candidates if one), default="")
    return last, int(version) if version.isdecimal() else 0
