"""Where a kernel is."""

from dataclasses import dataclass

from gateway_ext.kernels.agents.links import AgentLink
from gateway_ext.ownership.records import KernelRecord, Member


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
