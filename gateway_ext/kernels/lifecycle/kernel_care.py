"""Base of what looks after this gateway's kernels beside their launches."""

import logging
from dataclasses import dataclass

from gateway_ext.kernels.agents.links import AgentLinks
from gateway_ext.kernels.lifecycle.launches import Launches
from gateway_ext.ownership.kernel_records import KernelRecords


@dataclass(frozen=True)
class GatewayKernels:
    """Where this gateway's kernels are found: their records, launches and agents."""

    records: KernelRecords
    launches: Launches
    links: AgentLinks
    log: logging.Logger


class KernelCare:
    """One kind of work on kernels."""

    def __init__(self, kernels: GatewayKernels) -> None:
        self._records = kernels.records
        self._launches = kernels.launches
        self._links = kernels.links
        self._log = kernels.log
