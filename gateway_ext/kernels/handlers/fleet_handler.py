"""Base of the gateway's REST handlers."""

import json
from collections.abc import Awaitable
from typing import Any

from enterprise_gateway.mixins import CORSMixin  # type: ignore[import-untyped]
from tornado import web

from gateway_ext.kernels.handlers.authentication import answer_refusal, authenticate
from gateway_ext.kernels.handlers.relay import Answer
from gateway_ext.kernels.manager import FleetMappingKernelManager
from gateway_ext.kernels.refusal import RETRY_SECONDS, Refusal
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.encryption import DecryptionError
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.headers import DIRECT, DIRECT_HEADER


class FleetHandler(CORSMixin, web.RequestHandler):
    """A call with a valid token. Errors are raised as Refusal."""

    identity: Identity

    def prepare(self) -> Awaitable[None] | None:
        if self.request.method != "OPTIONS":
            self.identity = authenticate(
                self.settings["fleet_token_verifier"], self.request.headers.get("Authorization")
            )
        return None

    @property
    def manager(self) -> FleetMappingKernelManager:
        manager: FleetMappingKernelManager = self.settings["kernel_manager"]
        return manager

    @property
    def direct(self) -> bool:
        """Whether the caller looks up the owner itself."""
        return self.request.headers.get(DIRECT_HEADER) == DIRECT

    def answer(self, document: object, status: int = 200) -> None:
        """Finishes with a JSON document."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(document))

    def pass_on(self, answer: Answer) -> None:
        """Finishes with another gateway's answer."""
        self.set_status(answer.status)
        if answer.status == 503:
            self.set_header("Retry-After", str(RETRY_SECONDS))
        if answer.body:
            self.set_header("Content-Type", answer.content_type)
        self.finish(answer.body or None)

    def options(self, *args: str, **kwargs: str) -> None:
        self.finish()

    def log_exception(self, *exc_info: Any) -> None:
        if not isinstance(exc_info[1], Refusal | DatabaseUnavailable):
            super().log_exception(*exc_info)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        answer_refusal(self, as_refusal(status_code, error))


def as_refusal(status: int, error: BaseException | None) -> Refusal:
    """The answer to a call that ended with `error`."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, DatabaseUnavailable):
        return Refusal(503, str(error))
    if isinstance(error, DecryptionError):
        return Refusal(500, str(error))
    if isinstance(error, web.HTTPError):
        return Refusal(error.status_code, error.log_message or error.reason or "")
    return Refusal(status, "the gateway failed: its log says why")
