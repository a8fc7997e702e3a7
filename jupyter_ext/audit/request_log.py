"""Has a server write an event for each request that it answers."""

from __future__ import annotations

from collections.abc import Callable

from tornado.web import RequestHandler

from jupyter_ext.audit.audit import Audit
from jupyter_ext.audit.audited_calls import AuditTable
from jupyter_ext.audit.request_event import request_event

LogFunction = Callable[[RequestHandler], None]


def audited_log(before: LogFunction, audit: Audit, table: AuditTable, base_url: str) -> LogFunction:
    """Tornado's `log_function` with an audit: it is called once for each request, whatever handler
    answers it, also where one is refused before its handler runs."""

    def log_request(handler: RequestHandler) -> None:
        try:
            audit.record(request_event(handler, table, base_url))
        except Exception:
            # The caller has been answered already.
            audit.log.exception("an event of the audit cannot be made")
        before(handler)

    return log_request
