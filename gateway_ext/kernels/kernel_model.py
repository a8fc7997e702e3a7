"""Kernel models as clients see them."""

from datetime import UTC, datetime
from typing import Any

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.kernel_location import kernel_location
from gateway_ext.ownership.culling import CullRules, cull_time
from gateway_ext.ownership.launch_status import LaunchStatus, in_utc
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.silence import UNREACHABLE, WITH_KERNEL
from gateway_ext.ownership.states import KernelState, state_from_process


def kernel_model(
    record: KernelRecord,
    link: AgentLink | None,
    rules: CullRules,
    status: LaunchStatus | None = None,
) -> dict[str, Any]:
    """Jupyter's model of a kernel with the fleet's additions (docs/protocols.md).

    The record, which every gateway can read, may be a second old; `link` has the newest state, and
    `status` that of a launch of this gateway.
    """
    state, execution_state, reason = record.state, record.execution_state, record.reason
    last_activity, connections, epoch = record.last_activity, record.connections, record.epoch
    if link is not None and link.epoch >= record.epoch and state is not KernelState.DELETED:
        state = state_from_process(link.process) or state
        execution_state, reason = link.execution_state, link.reason
        last_activity, connections, epoch = link.last_activity, link.connections, link.epoch
    shown_state = state.value
    silence = record.silence
    if silence is not None and state in WITH_KERNEL and (link is None or link.epoch < record.epoch):
        shown_state, execution_state = UNREACHABLE, "unknown"
        reason, connections = silence.reason(datetime.now(UTC)), 0
    network = (record.process or {}).get("network") or None
    if network is not None and link is not None and link.network is not None:
        network = link.network
    launch = status or record.launch_status if state is KernelState.LAUNCHING else None
    running = shown_state == KernelState.RUNNING.value
    failed = state is KernelState.DEAD and (record.not_run or record.state is KernelState.LAUNCHING)
    ends = cull_time(last_activity, connections, execution_state, rules) if running else None
    return {
        "id": record.kernel_id,
        "name": record.kernel_name,
        "last_activity": in_utc(last_activity),
        "execution_state": execution_state,
        "connections": connections,
        "project": record.project,
        "path": record.path,
        "username": record.username,
        "only_for": record.only_for,
        "state": shown_state,
        "owner": record.owner,
        "epoch": epoch,
        "reason": reason,
        "location": kernel_location(record.process),
        # Of kernels that another gateway has taken over, and of those elsewhere, it is not known.
        "walls": (record.process or {}).get("walls") or None,
        "network": network,
        "network_why": "" if link is None else link.network_why,
        "launch_options": dict(record.launch_options or {}),
        "launch": None if launch is None else launch.shown(),
        "launch_failed": failed,
        "cull_at": None if ends is None else in_utc(ends),
        "cull_warning_at": None if ends is None else in_utc(ends - rules.warning),
    }


def outline_of(model: dict[str, Any]) -> dict[str, Any]:
    """What those learn of a person's own kernel who may know that it exists and end it: nothing
    that it was given or has said."""
    return {**model, "launch_options": {}, "launch": None, "reason": ""}
