"""Authentication and authorization of callers.

Everything is refused unless a handler states which role it needs. Enterprise Gateway's own handlers
that are still used are wrapped in `require_token`.
"""

import json
from http.client import responses
from typing import Any

from tornado import web

from gateway_ext.kernels.callers import Callers
from gateway_ext.kernels.handlers.routes import require_named
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.audit.notes import note
from jupyter_ext.platform.tokens import Identity


async def authenticate_call(handler: web.RequestHandler) -> Identity:
    """The caller of a request, whom the audit names; raises Refusal (401, 503)."""
    callers: Callers = handler.settings["fleet_callers"]
    identity = await callers.identify(handler.request.headers.get("Authorization"))
    note(handler, caller=identity)
    return identity


def choose_project(identity: Identity, asked: str | None) -> str:
    """The project that a new kernel belongs to: the one asked for, or the caller's only one.

    Raises Refusal (400) if neither tells.
    """
    if asked:
        return asked
    if len(identity.projects) == 1:
        return next(iter(identity.projects))
    raise Refusal(
        400,
        'which project is the kernel for? Send "project", or KERNEL_PROJECT in "env" '
        f"({identity.user} has {len(identity.projects)} projects)",
    )


def answer_refusal(handler: web.RequestHandler, refusal: Refusal) -> None:
    """Finishes the request with the error."""
    # Discard what the handler has written so far.
    handler.clear()
    handler.set_status(refusal.status)
    for name, value in refusal.headers.items():
        handler.set_header(name, value)
    handler.set_header("Content-Type", "application/json")
    handler.finish(json.dumps(refusal.body))


def words_of(error: web.HTTPError) -> str:
    """The message for people of an error that may have none of its own."""
    own = error.get_message() or error.reason
    if own:
        return str(own)
    if error.status_code == 404:
        return "a gateway has nothing at this path: look for a mistake in the URL"
    if error.status_code == 405:
        return "this path has no such method"
    return responses.get(error.status_code, "the call failed")


def require_token(handler: type[web.RequestHandler]) -> type[web.RequestHandler]:
    """The same handler for callers with a valid token only."""

    class Guarded(handler):  # type: ignore[misc, valid-type]
        async def prepare(self) -> None:
            try:
                require_named(self)
                if self.request.method != "OPTIONS":
                    await authenticate_call(self)
            except Refusal as refusal:
                answer_refusal(self, refusal)
                return
            # No file has such a name, and asking the system for one raises ValueError.
            if not all(name.isprintable() for name in self.path_kwargs.values() if name):
                answer_refusal(self, Refusal(404, "names must not have unprintable characters"))
                return
            prepared: Any = super().prepare()
            if prepared is not None:
                await prepared

        def set_default_headers(self) -> None:
            super().set_default_headers()
            self.set_header("Cache-Control", "no-store")

        def options(self, *args: str, **kwargs: str) -> None:
            # Not all stock handlers take the names in their routes here.
            self.finish()

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
            if isinstance(error, web.HTTPError):
                # Enterprise Gateway doubles percent signs.
                more = {"reason": error.reason} if error.reason else {}
                answer_refusal(self, Refusal(status_code, words_of(error), **more))
            elif error is None:
                error = web.HTTPError(status_code, reason=self._reason)
                answer_refusal(self, Refusal(status_code, words_of(error)))
            else:
                # Enterprise Gateway answers with a traceback, which names paths of the host.
                answer_refusal(self, Refusal(status_code, "the gateway failed: its log says why"))

    # As `routes` calls it.
    Guarded.__module__, Guarded.__qualname__ = handler.__module__, handler.__qualname__
    Guarded.__name__ = handler.__name__
    return Guarded
