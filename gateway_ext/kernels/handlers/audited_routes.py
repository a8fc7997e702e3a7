"""What the calls of a gateway are in the audit. What is not here reads states.

`tests/unit/gateway_ext/kernels/handlers/test_audited_routes.py` has each route that changes
something named.
"""

from __future__ import annotations

from jupyter_ext.audit.audit_event import Kind
from jupyter_ext.audit.audited_calls import Audited, AuditTable

_OURS = "gateway_ext.kernels.handlers"
_KERNELS = f"{_OURS}.kernel_handlers"
_GATEWAYS = f"{_OURS}.gateway_handlers"
_SESSIONS = f"{_KERNELS}.NotServedHandler"
_PIPE = f"{_OURS}.pipe_handler.PipeHandler"

_TABLE: dict[tuple[str, str], tuple[str, Kind]] = {
    (f"{_OURS}.agent_handler.AgentHandler", "GET"): ("agent.connect", Kind.FLEET),
    # Whoever has it open may run code.
    (f"{_OURS}.client_websocket.ChannelsHandler", "GET"): ("kernel.connect", Kind.CHANGE),
    (f"{_KERNELS}.KernelsHandler", "POST"): ("kernel.start", Kind.CHANGE),
    (f"{_KERNELS}.KernelsHandler", "GET"): ("kernel.list", Kind.POLL),
    (f"{_KERNELS}.KernelHandler", "GET"): ("kernel.look", Kind.POLL),
    (f"{_KERNELS}.OwnerHandler", "GET"): ("kernel.look", Kind.POLL),
    (f"{_KERNELS}.EventsHandler", "GET"): ("kernel.look", Kind.POLL),
    (f"{_KERNELS}.KernelHandler", "DELETE"): ("kernel.end", Kind.CHANGE),
    (f"{_KERNELS}.InterruptHandler", "POST"): ("kernel.interrupt", Kind.CHANGE),
    (f"{_KERNELS}.RestartHandler", "POST"): ("kernel.restart", Kind.CHANGE),
    (f"{_KERNELS}.GoneHandler", "POST"): ("kernel.declare_gone", Kind.CHANGE),
    **{
        (_SESSIONS, method): ("session", Kind.POLL) for method in ("POST", "PUT", "PATCH", "DELETE")
    },
    (f"{_GATEWAYS}.DrainHandler", "POST"): ("gateway.drain", Kind.CHANGE),
    (f"{_GATEWAYS}.DrainHandler", "DELETE"): ("gateway.undrain", Kind.CHANGE),
    (f"{_GATEWAYS}.PoolsHandler", "DELETE"): ("pool.end", Kind.CHANGE),
    (f"{_GATEWAYS}.EncryptionHandler", "POST"): ("secrets.renew", Kind.CHANGE),
    **{(_PIPE, method): ("output.keep", Kind.FLEET) for method in ("PUT", "POST", "DELETE")},
    (_PIPE, "GET"): ("output.read", Kind.FLEET),
}

AUDITED: AuditTable = {key: Audited(*named) for key, named in _TABLE.items()}
