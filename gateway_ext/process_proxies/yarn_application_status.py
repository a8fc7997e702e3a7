"""The state of an agent according to the ResourceManager's REST interface.

States and fields are those of Hadoop's "ResourceManager REST API's", cluster application.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway_ext.process_proxies.sighting import Sighting, alive, dead, unknown

_NOT_ACCEPTED = frozenset({"NEW", "NEW_SAVING", "SUBMITTED"})
_PHASES = {
    "is not yet activated": "queued",
    "waiting for resources to be assigned for AM": "scheduling",
    "waiting for AM container to be launched": "starting",
    "waiting for AM container to Register with RM": "starting",
    # The ResourceManager was restarted after the application had got room.
    "Attempt recovered after RM restart": "starting",
}
"""How far an accepted application is, by the words of the CapacityScheduler in its diagnostics."""
_LONGEST_WORDS = 500
FINAL_STATES = frozenset({"FINISHED", "FAILED", "KILLED"})


def application_sighting(application: Mapping[str, Any]) -> Sighting:
    """What an application that the ResourceManager knows says of itself."""
    state = str(application.get("state") or "")
    diagnostics = str(application.get("diagnostics") or "").strip()
    words = f"{state}: {diagnostics}" if diagnostics else state
    if state in FINAL_STATES:
        final = application.get("finalStatus")
        if final not in (None, "UNDEFINED", "SUCCEEDED", state):
            words = f"{words} (final status {final})"
        return dead(f"YARN application {application.get('id')}: {words}")
    if state in _NOT_ACCEPTED:
        return alive(f"YARN application {application.get('id')}: {state}", phase="queued")
    if state == "ACCEPTED":
        return alive(_waiting_words(application, diagnostics), phase=_waiting_phase(diagnostics))
    if state == "RUNNING":
        return alive(phase="connecting")
    return unknown(f"YARN application {application.get('id')} is in state {state or 'unnamed'}")


def _waiting_phase(diagnostics: str) -> str:
    for words, phase in _PHASES.items():
        if words in diagnostics:
            return phase
    # Other schedulers say nothing until there is a container.
    return "scheduling"


def _waiting_words(application: Mapping[str, Any], diagnostics: str) -> str:
    """What an accepted application waits for, in one line: the scheduler's sentences, without their
    date and the numbers of partitions and queues behind them."""
    text = re.sub(r"^\[[^\]]*\]\s*", "", diagnostics)
    text = re.split(r"\s*(?:\bDetails :|\bLast Node which was processed)", text)[0]
    queue = application.get("queue")
    place = f" in queue {queue}" if queue else ""
    words = f"YARN application {application.get('id')}{place}: {' '.join(text.split())}"
    return words.removesuffix(": ")[:_LONGEST_WORDS]


def unknown_application(application_id: str, cluster: Mapping[str, Any] | None) -> Sighting:
    """What it means that the ResourceManager does not know the application; `cluster` is its
    `clusterInfo`, None if it did not tell.

    Only a ResourceManager that is started and active has read all applications from its store.
    Those that it has forgotten since had ended.
    """
    if (
        cluster is not None
        and cluster.get("state") == "STARTED"
        and cluster.get("haState") in ("ACTIVE", None)
    ):
        return dead(f"YARN does not know application {application_id} any more")
    return unknown(f"YARN does not know application {application_id}, but is not active itself")


def tags_of(application: Mapping[str, Any]) -> set[str]:
    """The application's tags, which the ResourceManager lists with commas."""
    return {tag.strip() for tag in str(application.get("applicationTags") or "").split(",")}


def difference(application: Mapping[str, Any], *, name: str, tag: str, user: str) -> str:
    """In what an application differs from the one that is meant, in words; empty if it is that one.
    An empty `user` is not known, and not compared."""
    found = application.get("user")
    if application.get("name") != name:
        return f"its name is {application.get('name')!r}, not {name!r}"
    if tag not in tags_of(application):
        return f"it does not have the tag {tag!r}"
    if not isinstance(found, str) or not found or user not in ("", found):
        return f"its user is {found!r}, not {user!r}"
    return ""


def newest(applications: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The application that was submitted last; None if there is none."""
    return max(applications, key=lambda one: _number(str(one.get("id"))), default=None)


def _number(application_id: str) -> tuple[int, ...]:
    # application_CLUSTER-START_NUMBER: the number has at least four digits, and may have more.
    parts = application_id.split("_")[1:]
    return tuple(int(part) for part in parts if part.isdigit())
