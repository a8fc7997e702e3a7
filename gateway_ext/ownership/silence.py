"""How long a kernel's agent has been silent, as the record of a kernel says that nobody reaches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway_ext.ownership.launch_status import in_utc, one_line
from gateway_ext.ownership.states import KernelState

UNREACHABLE = "unreachable"
"""The state in a model of a kernel whose agent is silent. No state of the record: whether it runs
is not known."""

WITH_KERNEL = (KernelState.RUNNING, KernelState.RESTARTING)
"""The states in which a kernel whose agent is silent is unreachable."""


@dataclass(frozen=True)
class Silence:
    """A silence that has lasted for too long. It ends with the next epoch.

    `since` is when the agent was last heard, in UTC; `words` what its cluster says, empty if that
    is nothing; `restart_by` the user who has asked for a restart meanwhile, None if nobody has.
    """

    epoch: int
    since: datetime
    words: str = ""
    restart_by: str | None = None

    def reason(self, now: datetime) -> str:
        """The reason in a kernel's model."""
        seconds = max(0, int((now - self.since).total_seconds()))
        reason = f"its agent has been silent for {seconds} s"
        if self.words:
            reason += f": {self.words}"
        if self.restart_by is not None:
            reason += "; it is started again as soon as it is certain that the old one has ended"
        return reason

    def stored(self) -> dict[str, Any]:
        """The value of the column, the inverse of `stored_silence`."""
        return {
            "epoch": self.epoch,
            "since": in_utc(self.since),
            "words": one_line(self.words),
            "restart_by": self.restart_by,
        }


def stored_silence(column: Mapping[str, Any] | None) -> Silence | None:
    """What `Silence.stored` made; None if the column is empty, or a gateway of another version
    wrote what this one cannot read."""
    if column is None:
        return None
    try:
        asked = column.get("restart_by")
        return Silence(
            epoch=int(column["epoch"]),
            since=datetime.fromisoformat(column["since"]),
            words=str(column.get("words") or ""),
            restart_by=None if asked is None else str(asked),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def present_silence(
    silence: Silence | None, state: KernelState, owner: str | None, epoch: int
) -> Silence | None:
    """The silence if it is still the kernel's: a gateway of the version before does not remove it.

    A kernel that has died of it keeps it as long as somebody waits for the restart.
    """
    if silence is None:
        return None
    if state in WITH_KERNEL:
        return silence if silence.epoch == epoch else None
    waits = state is KernelState.DEAD and owner is None and silence.restart_by is not None
    return silence if waits and silence.epoch + 1 == epoch else None
