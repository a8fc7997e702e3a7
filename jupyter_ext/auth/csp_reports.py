"""Reports of browsers about what a page's Content-Security-Policy has refused.

The stock handler logs whatever was sent; anybody who is signed in may send a megabyte.
"""

from __future__ import annotations

import json

from jupyter_server.services.security.handlers import CSPReportHandler
from tornado import web

from jupyter_ext.auth.user import current_username

_LOGGED = ("document-uri", "effective-directive", "violated-directive", "blocked-uri")
LONGEST_VALUE = 200
"""Characters of each value that is logged."""


def summary(body: bytes) -> str:
    """What the log says of a report, in one line; raises ValueError for what is none."""
    document = json.loads(body)
    report = document.get("csp-report") if isinstance(document, dict) else None
    if not isinstance(report, dict):
        raise ValueError('a report is an object {"csp-report": {…}}')
    values = {name: report[name] for name in _LOGGED if isinstance(report.get(name), str)}
    return ", ".join(f"{name} {value[:LONGEST_VALUE]!a}" for name, value in values.items())


class FleetCspReportHandler(CSPReportHandler):
    """`/api/security/csp-report`."""

    @web.authenticated
    def post(self) -> None:
        """Log the report."""
        try:
            said = summary(self.request.body)
        except ValueError as error:
            raise web.HTTPError(400, f"this is not a report: {error}") from error
        self.log.warning(
            "Content security policy: a browser of %r reports %s", current_username(), said
        )
        self.set_status(204)


handlers: list[tuple[str, type]] = [(r"/api/security/csp-report", FleetCspReportHandler)]
