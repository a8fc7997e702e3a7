"""The life of a kernel record."""

from enum import StrEnum


class KernelState(StrEnum):
    """What is known about a kernel. "Nobody owns it at the moment" is not a state: the record's
    owner and the list of living gateways tell that."""

    LAUNCHING = "launching"
    """The record is written, the agent is being started or has not reported a running kernel."""
    RUNNING = "running"
    """Its agent has reported a running kernel. Holds as long as nobody knows better."""
    DEAD = "dead"
    """The kernel is known to have ended; `reason` says why. Its agent may still be there."""
    DELETED = "deleted"
    """A user ended it. The row stays for some days, so that an agent that comes back can be told
    with proof; for every client it does not exist."""


LEGAL_TRANSITIONS: dict[KernelState, frozenset[KernelState]] = {
    KernelState.LAUNCHING: frozenset({KernelState.RUNNING, KernelState.DEAD, KernelState.DELETED}),
    KernelState.RUNNING: frozenset({KernelState.DEAD, KernelState.DELETED}),
    # Running again: its agent restarted it. Launching again: a new agent is started.
    KernelState.DEAD: frozenset({KernelState.RUNNING, KernelState.LAUNCHING, KernelState.DELETED}),
    KernelState.DELETED: frozenset(),
}


def sources_of(target: KernelState) -> frozenset[KernelState]:
    """The states from which `target` may be entered, itself included except for DELETED and
    LAUNCHING, which happen once."""
    sources = {state for state, targets in LEGAL_TRANSITIONS.items() if target in targets}
    if target in (KernelState.RUNNING, KernelState.DEAD):
        sources.add(target)
    return frozenset(sources)


def state_from_process(process: str) -> KernelState | None:
    """The record's state for what an agent reports of its process; None if it says nothing new."""
    if process == "running":
        return KernelState.RUNNING
    if process == "dead":
        return KernelState.DEAD
    return None
