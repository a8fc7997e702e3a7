"""What calls are in the audit: a table by handler and method, as tables of routes name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jupyter_ext.audit.audit_event import Kind
from jupyter_ext.platform.route_table import READ


@dataclass(frozen=True)
class Audited:
    """What one method of one handler is called."""

    action: str
    kind: Kind


AuditTable = Mapping[tuple[str, str], Audited]
"""By the name of a handler (`handler_name`) and the method."""

_OTHER_READ = Audited("other.read", Kind.POLL)
_OTHER = Audited("other", Kind.CHANGE)


def audited(table: AuditTable, handler: str, method: str) -> Audited:
    """What a call is. What no table names reads nothing that matters, or is refused."""
    named = table.get((handler, "GET" if method == "HEAD" else method))
    return named or (_OTHER_READ if method in READ else _OTHER)
