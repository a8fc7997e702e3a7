"""What one look at a cluster says about an agent."""

from dataclasses import dataclass
from enum import StrEnum

from gateway_ext.process_proxies.agent_process import AgentLife


class Obstacle(StrEnum):
    """Why an agent has not started yet."""

    NONE = "none"
    """The cluster resolves this by itself: the agent waits for room, or for a node."""
    LASTING = "lasting"
    """The cluster goes on trying, and may succeed: an image that cannot be pulled just now."""
    FINAL = "final"
    """It will never start: an image name that cannot be read."""


@dataclass(frozen=True)
class Sighting:
    """Whether the agent lives. `words` are the cluster's own: why it died, why that is not known,
    or what it waits for; empty if there is nothing to say. `phase` is how far a launch is, a value
    of `LaunchPhase`, empty if the cluster does not say; `position` the place in its queue.
    `ending` says why the cluster is ending an agent that still lives, empty if it is not: later it
    may only say that there is none."""

    life: AgentLife
    words: str = ""
    obstacle: Obstacle = Obstacle.NONE
    phase: str = ""
    position: int | None = None
    ending: str = ""


def alive(
    words: str = "",
    obstacle: Obstacle = Obstacle.NONE,
    *,
    phase: str = "",
    position: int | None = None,
    ending: str = "",
) -> Sighting:
    """The agent lives, or is being started."""
    return Sighting(AgentLife.ALIVE, words, obstacle, phase, position, ending)


def dead(words: str) -> Sighting:
    """The agent is known to have ended."""
    return Sighting(AgentLife.DEAD, words)


def unknown(words: str) -> Sighting:
    """Nothing is known."""
    return Sighting(AgentLife.UNKNOWN, words)


@dataclass(frozen=True)
class Patience:
    """For how long obstacles have lasted: `since` is when the present one was first seen."""

    seconds: float
    since: float | None = None

    def after(self, sighting: Sighting, now: float) -> "Patience":
        """The patience that is left after this look."""
        if sighting.obstacle is Obstacle.NONE:
            return Patience(self.seconds)
        return Patience(self.seconds, now if self.since is None else self.since)

    def is_over(self, sighting: Sighting, now: float) -> bool:
        """Whether waiting longer is useless."""
        if sighting.obstacle is Obstacle.FINAL:
            return True
        return (
            sighting.obstacle is Obstacle.LASTING
            and self.since is not None
            and now - self.since >= self.seconds
        )
