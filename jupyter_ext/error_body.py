"""How a lab answers requests that fail."""

from __future__ import annotations

import json
from typing import Any

from tornado import web


class ErrorBody:
    """For handlers: errors as JSON with `message` and `reason`, or with the error's own `body`.

    The stock handlers double the percent signs of messages, as Tornado keeps them.
    """

    def write_error(self: Any, status_code: int, **arguments: Any) -> None:
        """Like the stock method for any exception but an HTTPError."""
        error = arguments.get("exc_info", (None, None, None))[1]
        if not isinstance(error, web.HTTPError):
            super().write_error(status_code, **arguments)  # type: ignore[misc]
            return
        self.set_header("Content-Type", "application/json")
        if status_code == 503:
            self.set_header("Retry-After", "1")
        body = {"message": error.get_message() or self._reason, "reason": error.reason}
        self.finish(json.dumps(getattr(error, "body", body)))
