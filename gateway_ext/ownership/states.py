"""The states of a kernel record, and the allowed transitions."""

from enum import StrEnum


class KernelState(StrEnum):
    """What is known about a kernel.

    "Between owners" is not a state of its own, since a gateway that was killed could not write it
    down: it is any of these while the record's owner is not among the living gateways. Nor is
    "stopping": what a user wants deleted is deleted in the record first, then it is ended.
    """

    LAUNCHING = "launching"
    """The record is written, the agent is being started or has not reported a running kernel."""
    RUNNING = "running"
    """Its agent has reported a running kernel. Holds as long as nobody knows better."""
    RESTARTING = "restarting"
    """Its agent is starting the kernel's process again, because a user asked or it had ended."""
    DEAD = "dead"
    """The kernel is known to have ended; `reason` says why. Its agent may still be there."""
    DELETED = "deleted"
    """A user ended it, or it was culled. The row stays for some days, so that an agent that comes
    back can be told with proof; for every client it does not exist. Its owner is the gateway that
    ends what ran; it has none once nothing is left."""


LEGAL_TRANSITIONS: dict[KernelState, frozenset[KernelState]] = {
    KernelState.LAUNCHING: frozenset(
        {KernelState.RUNNING, KernelState.RESTARTING, KernelState.DEAD, KernelState.DELETED}
    ),
    KernelState.RUNNING: frozenset({KernelState.RESTARTING, KernelState.DEAD, KernelState.DELETED}),
    KernelState.RESTARTING: frozenset({KernelState.RUNNING, KernelState.DEAD, KernelState.DELETED}),
    # Running or restarting again: its agent does it. Launching again: a new agent is started.
    KernelState.DEAD: frozenset(
        {
            KernelState.RUNNING,
            KernelState.RESTARTING,
            KernelState.LAUNCHING,
            KernelState.DELETED,
        }
    ),
    KernelState.DELETED: frozenset(),
}


class IllegalTransition(Exception):
    """A bug in the gateway: this transition is not allowed."""


def check_transition(source: KernelState, target: KernelState) -> None:
    """Raises IllegalTransition. To stay in a state is legal, except in DELETED."""
    if target not in LEGAL_TRANSITIONS[source] and (
        target is not source or source is KernelState.DELETED
    ):
        raise IllegalTransition(f"a kernel never goes from {source.value} to {target.value}")


_REPORTED = {
    "running": KernelState.RUNNING,
    "restarting": KernelState.RESTARTING,
    "dead": KernelState.DEAD,
}


def can_be_canceled(state: KernelState, process: str | None, *, not_run: bool) -> bool:
    """Whether ending a kernel ends a launch, or nothing, and no variables of anybody.

    `process` is what the agent says of the kernel's process, None if it is not connected here: the
    record may be a second behind it. `not_run` says that a kernel that is restarting has not run
    since it was launched."""
    if process == "running":
        return False
    if state is KernelState.RESTARTING:
        return not_run
    return state in (KernelState.LAUNCHING, KernelState.DEAD)


def state_from_process(process: str) -> KernelState | None:
    """The record's state for what an agent reports of its process; None if it says nothing new."""
    return _REPORTED.get(process)
