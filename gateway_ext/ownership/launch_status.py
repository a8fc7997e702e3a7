"""How far a launch is, as the record of a kernel that is being launched says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gateway_ext.ownership.stored_text import stored_text

LONGEST_MESSAGE = 500
"""Characters of what a cluster says, on one line."""

NOT_RUN = {"not_run": True}
"""The value of the column for a kernel that has not run since it was launched, and is dead or is
being restarted by its agent. Gateways of the version before take it for none."""


class LaunchPhase(StrEnum):
    """What a launch waits for."""

    QUEUED = "queued"
    """Its turn, or admission to a queue of the cluster. Nothing has been started."""
    SCHEDULING = "scheduling"
    """Room in the cluster."""
    PULLING = "pulling"
    """Its image."""
    STARTING = "starting"
    """Its container, or its process."""
    CONNECTING = "connecting"
    """The agent, which runs, to connect to a gateway and start the kernel."""


WITHOUT_ROOM = frozenset({LaunchPhase.QUEUED, LaunchPhase.SCHEDULING})
"""The phases in which nothing has been started."""


@dataclass(frozen=True)
class LaunchStatus:
    """How far a launch is. `message` is what the cluster says, empty if it says nothing;
    `position` the place in a queue, 1 for the next, None if it is not known.

    Times are in UTC: `since` is when the phase began, `begun` when the launch did, and `room` when
    the cluster had room for it, None if it has none yet. `given_up` is why a launch failed of which
    something may still run; empty for all others. `lost` is how many gateways have ended while they
    started it, and left nothing.
    """

    phase: LaunchPhase
    message: str
    position: int | None
    since: datetime
    begun: datetime
    room: datetime | None
    given_up: str = ""
    lost: int = 0

    def after(
        self, phase: LaunchPhase, message: str, position: int | None, now: datetime
    ) -> "LaunchStatus":
        """The status after a look at the launch. The same object if nothing has changed."""
        room = None if phase in WITHOUT_ROOM else self.room or now
        seen = replace(
            self,
            phase=phase,
            message=one_line(message),
            position=position,
            since=self.since if phase is self.phase else now,
            room=room,
        )
        return self if seen == self else seen

    def overdue(self, now: datetime, *, launch_seconds: float, queue_seconds: float) -> str:
        """What took too long, in words; empty if there is time left."""
        if self.room is None:
            if (now - self.begun).total_seconds() > queue_seconds:
                return f"the kernel got no room within {queue_seconds:g} s"
        elif (now - self.room).total_seconds() > launch_seconds:
            return f"the kernel did not start within {launch_seconds:g} s"
        return ""

    def shown(self) -> dict[str, Any]:
        """The field `launch` of a kernel's model (docs/protocols.md)."""
        return {
            "phase": self.phase.value,
            "message": one_line(f"it failed and is being ended: {self.given_up}")
            if self.given_up
            else self.message,
            "position": self.position,
            "since": in_utc(self.since),
        }

    def stored(self) -> dict[str, Any]:
        """The value of the column, the inverse of `stored_status`."""
        return {
            "phase": self.phase.value,
            "message": self.message,
            "position": self.position,
            "since": in_utc(self.since),
            "begun": in_utc(self.begun),
            "room": None if self.room is None else in_utc(self.room),
            "given_up": self.given_up,
            "lost": self.lost,
        }


def begun_status(now: datetime) -> LaunchStatus:
    """The status of a launch that begins now."""
    return LaunchStatus(LaunchPhase.QUEUED, "", None, now, now, None)


def begun_again(status: LaunchStatus | None, now: datetime) -> LaunchStatus:
    """The status of a launch that begins once more, now, at another gateway; `status` is what the
    one that has ended has left."""
    begun = begun_status(now)
    if status is None or status.phase in WITHOUT_ROOM:
        return replace(begun, lost=0 if status is None else status.lost)
    return replace(begun, lost=status.lost + 1)


def stored_status(column: Mapping[str, Any] | None) -> LaunchStatus | None:
    """What `LaunchStatus.stored` made; None if the column is empty, or a gateway of another version
    wrote what this one cannot read."""
    if column is None:
        return None
    try:
        return LaunchStatus(
            phase=LaunchPhase(column["phase"]),
            message=str(column["message"]),
            position=None if column["position"] is None else int(column["position"]),
            since=datetime.fromisoformat(column["since"]),
            begun=datetime.fromisoformat(column["begun"]),
            room=None if column["room"] is None else datetime.fromisoformat(column["room"]),
            given_up=str(column.get("given_up") or ""),
            lost=int(column.get("lost") or 0),
        )
    except (KeyError, TypeError, ValueError):
        return None


def one_line(text: str) -> str:
    """A text of a cluster on one line of at most `LONGEST_MESSAGE` characters."""
    return stored_text(" ".join(text.split()), LONGEST_MESSAGE)


def in_utc(moment: datetime) -> str:
    """A time as models show it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
