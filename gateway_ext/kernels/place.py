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

    only_for: str | None = None
    """The person who has it alone; None for a kernel of the whole project."""

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


def place_here(link: AgentLink) -> Place:
    """The place of a kernel whose agent is connected here, without a look into the database."""
    record = link.record
    return Place(
        link.kernel_id, record.project, link.epoch, link, None, None, only_for=record.only_for
    )


def place_of(
    record: KernelRecord,
    *,
    link: AgentLink | None = None,
    owner: Member | None = None,
    launching: bool = False,
) -> Place:
    """The place of a kernel with this record."""
    return Place(
        record.kernel_id,
        record.project,
        record.epoch,
        link,
        owner,
        record,
        launching,
        record.only_for,
    )
