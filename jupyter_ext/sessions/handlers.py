"""HTTP handlers of the sessions service. The stock ones turn every error into a 500 or 501."""

from __future__ import annotations

import json
from typing import Any, cast

from jupyter_client.jsonutil import json_default
from jupyter_server.services.sessions.handlers import SessionHandler, SessionRootHandler
from jupyter_server.utils import url_path_join
from tornado import web

from jupyter_ext.audit.notes import file_object, note
from jupyter_ext.error_body import ErrorBody
from jupyter_ext.kernels.launch_rules import parse_choice
from jupyter_ext.kernels.launches import answers_at_once, cancels_launch
from jupyter_ext.platform.personal_kernels import MARK
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.new_sessions import NewSession
from jupyter_ext.sessions.patch import SessionChange

_SESSION_ID = r"(?P<session_id>\w+-\w+-\w+-\w+-\w+)"


def text(document: dict[str, Any], name: str) -> str | None:
    """A text of a JSON body, None if absent; anything else gives 400."""
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise web.HTTPError(400, f"{name} must be a string")
    return value


def kernel_of(document: dict[str, Any]) -> dict[str, Any]:
    """The `kernel` of a JSON body, empty if absent; anything but an object gives 400."""
    kernel = document.get("kernel") or {}
    if not isinstance(kernel, dict):
        raise web.HTTPError(400, 'kernel must be an object with a "name" or an "id"')
    return kernel


class _SessionBody:
    def _body(self: Any) -> dict[str, Any]:
        document = self.get_json_body()
        if not isinstance(document, dict):
            raise web.HTTPError(400, "No JSON data provided")
        return document


class FleetSessionRootHandler(ErrorBody, _SessionBody, SessionRootHandler):
    """`/api/sessions`."""

    @web.authenticated
    async def get(self) -> None:
        """All sessions of the caller's projects."""
        manager = cast(FleetSessionManager, self.session_manager)
        self.finish(json.dumps(await manager.list_sessions(), default=json_default))

    @web.authenticated
    async def post(self) -> None:
        """A session for a path: an existing one with exactly that path, or a new one."""
        manager = cast(FleetSessionManager, self.session_manager)
        document = self._body()
        path, type_ = text(document, "path"), text(document, "type")
        if path is None or type_ is None:
            missing = "path" if path is None else "type"
            raise web.HTTPError(400, f"Missing field in JSON data: {missing}")
        kernel = kernel_of(document)
        choice = parse_choice(document, kernel)
        if choice.only_for_me:
            # With the mark of gateways, at which labs of the version before make no session.
            path = path.removeprefix(MARK)
        note(self, **file_object(path))
        wanted = NewSession(
            path,
            text(document, "name"),
            type_,
            text(kernel, "name"),
            text(kernel, "id"),
            choice,
            awaited=not answers_at_once(self.request),
        )
        model = await manager.open_session(wanted)
        note(self, session=model["id"], kernel=(model["kernel"] or {}).get("id"))
        self.set_header("Location", url_path_join(self.base_url, "api", "sessions", model["id"]))
        self.set_status(201)
        self.finish(json.dumps(model, default=json_default))


class FleetSessionHandler(ErrorBody, _SessionBody, SessionHandler):
    """`/api/sessions/{id}`."""

    @web.authenticated
    async def get(self, session_id: str) -> None:
        """One session."""
        manager = cast(FleetSessionManager, self.session_manager)
        self.finish(json.dumps(await manager.get_session(session_id), default=json_default))

    @web.authenticated
    async def patch(self, session_id: str) -> None:
        """Rename a session, or give it another kernel."""
        manager = cast(FleetSessionManager, self.session_manager)
        document = self._body()
        kernel = kernel_of(document)
        choice = parse_choice(document, kernel)
        if choice and (text(kernel, "id") is not None or text(kernel, "name") is None):
            raise web.HTTPError(
                400, 'launch_options and env are for a new kernel: send "kernel": {"name": …}'
            )
        model = await manager.update_session(
            session_id,
            SessionChange(
                path=text(document, "path"),
                name=text(document, "name"),
                type=text(document, "type"),
                kernel_id=text(kernel, "id"),
                kernel_name=text(kernel, "name"),
                choice=choice,
            ),
            wait=not answers_at_once(self.request),
        )
        note(self, **file_object(model["path"]), kernel=(model["kernel"] or {}).get("id"))
        self.finish(json.dumps(model, default=json_default))

    @web.authenticated
    async def delete(self, session_id: str) -> None:
        """End a session; with `launching=1` 409 if its kernel runs already."""
        manager = cast(FleetSessionManager, self.session_manager)
        await manager.delete_session(session_id, launching=cancels_launch(self.request))
        self.set_status(204)
        self.finish()


handlers: list[tuple[str, type]] = [
    (rf"/api/sessions/{_SESSION_ID}", FleetSessionHandler),
    (r"/api/sessions", FleetSessionRootHandler),
]
