"""Where a kernel is."""

from dataclasses import dataclass

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.ownership.records import KernelRecord, Member
from gateway_ext.ownership.states import KernelState


@dataclass(frozen=True)
class Place:
    """Where a kernel is. At most one of `link` (here) and `owner` (a gateway elsewhere) is set;
    neither while nobody is known to own it. `record` is None if the link alone told."""

    kernel_id: str
    project: str
    epoch: int
    link: AgentLink | None
    owner: Member | None
    record: KernelRecord | None
    launching: bool = False
    """Whether this gateway launches it, and its agent has not connected yet."""

    @property
    def is_unreachable(self) -> bool:
        """Whether its agent has been silent for too long. Any gateway may act on its record."""
        return self.link is None and self.record is not None and self.record.silence is not None

    @property
    def is_launching(self) -> bool:
        """Whether it is being launched, here or elsewhere. The agent knows better than the record,
        as long as it has not seen its kernel answer."""
        if self.link is not None:
            return self.link.process == "starting"
        return self.record is not None and self.record.state is KernelState.LAUNCHING
