"""How calls that fail are answered, over REST and before a websocket opens."""

from collections.abc import Awaitable
from typing import Any

from tornado import web

from gateway_ext.kernels.handlers.authentication import answer_refusal, words_of
from gateway_ext.kernels.handlers.routes import require_named
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.encryption import DecryptionError


class RefusedCalls(web.RequestHandler):
    """Calls that `routes` does not name are refused. Errors are raised as Refusal. The log has only
    those that nobody expects. Nobody keeps answers."""

    def prepare(self) -> Awaitable[None] | None:
        require_named(self)
        return None

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def log_exception(self, *exc_info: Any) -> None:
        if not isinstance(exc_info[1], Refusal | DatabaseUnavailable):
            super().log_exception(*exc_info)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if error is None:
            error = web.HTTPError(status_code, self._reason)
        answer_refusal(self, as_refusal(status_code, error))


class NothingHere(RefusedCalls):
    """Named nowhere: answers 404 to every call."""


def as_refusal(status: int, error: BaseException) -> Refusal:
    """The answer to a call that ended with `error`."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, DatabaseUnavailable):
        return Refusal(503, str(error))
    if isinstance(error, DecryptionError):
        return Refusal(500, str(error))
    if isinstance(error, web.HTTPError):
        return Refusal(error.status_code, words_of(error))
    return Refusal(status, "the gateway failed: its log says why")
