"""Issues tickets to gateways, for what runs beside the kernels that they own."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.auth.lab_secrets import tickets_of
from jupyter_ext.auth.user import current_identity
from jupyter_ext.error_body import ErrorBody
from jupyter_ext.platform.kernel_tickets import TicketError, ticket_from_claims
from jupyter_ext.wire.routes import TICKET_ROUTE, pattern_of


class TicketHandler(ErrorBody, APIHandler):
    """`/api/fleet/kernels/{id}/ticket`."""

    def initialize(self, seconds: float) -> None:
        self._seconds = seconds

    @web.authenticated
    async def post(self, kernel_id: str) -> None:
        """`{"ticket", "seconds"}` for a kernel of the gateway that asks, as it describes it."""
        identity = current_identity()
        if identity is None or identity.service != "gateway":
            raise web.HTTPError(403, "only gateways get tickets, for the kernels that they own")
        said = self.get_json_body()
        try:
            claims: dict[str, Any] = {**dict(said or {}), "sub": kernel_id}
            ticket = tickets_of(self).issue(ticket_from_claims(claims), self._seconds)
        except (KeyError, TypeError, ValueError) as error:
            raise web.HTTPError(400, f"the kernel is not described: {error!r}") from error
        except TicketError as error:
            raise web.HTTPError(400, str(error)) from error
        self.finish(json.dumps({"ticket": ticket, "seconds": self._seconds}))


def handlers(seconds: float) -> list[tuple[Any, ...]]:
    """The route of tickets that are valid for so many seconds."""
    return [(pattern_of(TICKET_ROUTE), TicketHandler, {"seconds": seconds})]
