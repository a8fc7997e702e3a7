"""Deciding when an idle kernel is ended."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CullRules:
    """When idle kernels are ended, in the words of Jupyter: after `idle_seconds` (0 for never),
    even `connected` ones, even `busy` ones; `warning_seconds` before that pages say so, and no
    connected one is ended sooner than so long after `begun`, when its gateway began to look."""

    idle_seconds: float
    connected: bool
    busy: bool
    warning_seconds: float = 0.0
    begun: datetime = _LONG_AGO

    @property
    def warning(self) -> timedelta:
        """How long before its end a kernel's page says so: less, where idle kernels go quickly."""
        return timedelta(seconds=min(self.warning_seconds, self.idle_seconds / 2))


def cull_time(
    last_activity: datetime, connections: int, execution_state: str, rules: CullRules
) -> datetime | None:
    """When a kernel that does nothing more is to be ended; None if it is not to be.

    `last_activity` is of messages and of work alike.
    """
    if rules.idle_seconds <= 0 or (execution_state == "busy" and not rules.busy):
        return None
    idle = last_activity + timedelta(seconds=rules.idle_seconds)
    if connections == 0:
        return idle
    # Whoever looks at it must have had the time to read that it will be ended.
    return max(idle, rules.begun + rules.warning) if rules.connected else None
