"""The event of a kernel that the fleet has ended by itself."""

from __future__ import annotations

from gateway_ext.ownership.records import KernelRecord
from jupyter_ext.audit.audit_event import Actor, AuditEvent, Kind, Outcome


def end_of_idle(record: KernelRecord) -> AuditEvent:
    """That nobody has used this kernel for too long."""
    return AuditEvent(
        "kernel.end",
        Kind.CHANGE,
        Outcome.ALLOWED,
        Actor("fleet"),
        {"project": record.project, "kernel": record.kernel_id},
        reason="it was idle for too long",
    )
