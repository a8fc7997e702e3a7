"""Replacements for stock handlers that use state of the process which only gateways have."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Awaitable
from typing import Any, cast

from jupyter_client.jsonutil import json_default
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.services.kernels.handlers import (
    KernelActionHandler,
    KernelHandler,
    MainKernelHandler,
    _kernel_action_regex,
    _kernel_id_regex,
)
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from jupyter_server.services.kernelspecs.handlers import (
    MainKernelSpecHandler,
    kernel_name_regex,
)
from jupyter_server.utils import url_path_join
from tornado import web

from jupyter_ext.audit.notes import file_object, note
from jupyter_ext.auth.user import current_identity
from jupyter_ext.error_body import ErrorBody
from jupyter_ext.kernels.bounded_socket import BoundedSocket
from jupyter_ext.kernels.connection import FleetWebsocketConnection
from jupyter_ext.kernels.launch_rules import parse_choice
from jupyter_ext.kernels.launches import answers_at_once, cancels_launch, seconds_to_answer
from jupyter_ext.kernels.manager import FleetKernelManager, check_named_project
from jupyter_ext.kernels.specs import FleetKernelSpecManager
from jupyter_ext.wire.routes import PERSONAL

_TEXTS = ("name", "path", "kernel_id")
_LOGO_SECONDS = 30 * 24 * 3600


class FleetKernelsHandler(ErrorBody, MainKernelHandler):
    """`/api/kernels`."""

    @web.authenticated
    async def get(self) -> None:
        """All kernels that the caller may use; with `?personal=all` also those of one person that
        they may only end."""
        manager = cast(FleetKernelManager, self.kernel_manager)
        models = await manager.list_kernels(self.get_query_argument(PERSONAL, ""))
        # Sessions know where the notebooks are by now.
        models = await cast(Any, self.session_manager).with_present_paths(models)
        self.finish(json.dumps(models, default=json_default))

    @web.authenticated
    async def post(self) -> None:
        """Start a kernel, or join that of the notebook whose path is given."""
        document = self.get_json_body() or {}
        if not isinstance(document, dict) or any(
            not isinstance(document.get(name) or "", str) for name in _TEXTS
        ):
            raise web.HTTPError(
                400, f"the body must be an object with the strings {', '.join(_TEXTS)}"
            )
        path = document.get("path") or ""
        note(self, **file_object(path))
        identity = current_identity()
        check_named_project(
            document.get("project"), path, () if identity is None else identity.projects
        )
        manager = cast(FleetKernelManager, self.kernel_manager)
        # Sessions know which kernel a notebook has.
        sessions = cast(Any, self.session_manager)
        model = await sessions.start_kernel(
            kernel_id=document.get("kernel_id"),
            path=document.get("path"),
            kernel_name=document.get("name"),
            choice=parse_choice(document),
        )
        note(self, kernel=model["id"], project=model.get("project"))
        if not answers_at_once(self.request):
            most = sessions.answer_seconds
            seconds = seconds_to_answer(document.get("env"), most)
            model = await manager.until_it_runs(model, seconds)
        self.set_header("Location", url_path_join(self.base_url, "api", "kernels", model["id"]))
        self.set_status(201)
        await self.finish(json.dumps(model, default=json_default))


class FleetKernelHandler(ErrorBody, KernelHandler):
    """`/api/kernels/<id>`."""

    @web.authenticated
    @authorized
    async def get(self, kernel_id: str) -> None:
        """The kernel's model."""
        model = await cast(FleetKernelManager, self.kernel_manager).kernel_model(kernel_id)
        (model,) = await cast(Any, self.session_manager).with_present_paths([model])
        self.finish(json.dumps(model, default=json_default))

    @web.authenticated
    @authorized
    async def delete(self, kernel_id: str) -> None:
        """End a kernel; with `launching=1` 409 if it runs already."""
        manager = cast(FleetKernelManager, self.kernel_manager)
        await manager.shutdown_kernel(kernel_id, launching=cancels_launch(self.request))
        self.set_status(204)
        self.finish()


class FleetKernelActionHandler(ErrorBody, KernelActionHandler):
    """`/api/kernels/<id>/restart` and `/interrupt`."""

    @web.authenticated
    @authorized
    async def post(self, kernel_id: str, action: str) -> None:
        """Like the stock method, but that one turns every error of a restart into a 500."""
        manager = cast(FleetKernelManager, self.kernel_manager)
        if action == "interrupt":
            note(self, action="kernel.interrupt")
            await manager.interrupt_kernel(kernel_id)
            self.set_status(204)
            self.finish()
            return
        at_once = answers_at_once(self.request)
        model = await manager.restart_kernel(kernel_id, at_once=at_once)
        self.finish(json.dumps(model, default=json_default))


class FleetKernelWebsocketHandler(BoundedSocket, KernelWebsocketHandler):
    """`/api/kernels/<id>/channels`."""

    @property
    def longest_message(self) -> int:
        """Bytes of the longest frame."""
        return cast(FleetWebsocketConnection, self.connection).max_message_bytes

    def on_too_long(self, head: bytes, size: int) -> Awaitable[None]:
        """Say the limit."""
        return cast(FleetWebsocketConnection, self.connection).refuse_long(head, size)

    def on_message(self, ws_message: str | bytes) -> Awaitable[None] | None:
        """Like the stock method, but no further frame is read before this one is dealt with."""
        return cast(FleetWebsocketConnection, self.connection).handle_incoming_message(ws_message)


class FleetKernelSpecsHandler(MainKernelSpecHandler):
    """`/api/kernelspecs`."""

    @web.authenticated
    async def get(self) -> None:
        """All kernel specs and the name of the default one."""
        manager = cast(FleetKernelSpecManager, self.kernel_spec_manager)
        specs = await manager.get_all_specs()
        await self.finish({"default": await manager.default_name(), "kernelspecs": specs})


class FleetKernelSpecResourceHandler(JupyterHandler):
    """`/kernelspecs/<name>/<path>`: files of kernel specs as the gateways have them.

    The stock handler would also look for the file on the lab's own disk.
    """

    @web.authenticated
    @authorized(resource="kernelspecs")
    async def get(self, kernel_name: str, path: str) -> None:
        """A logo or a script."""
        manager = cast(FleetKernelSpecManager, self.kernel_spec_manager)
        body = await manager.get_kernel_spec_resource(kernel_name, path)
        self.set_header("Content-Type", mimetypes.guess_type(path)[0] or "text/plain")
        if path.lower().endswith(".png"):
            self.set_header("Cache-Control", f"private, max-age={_LOGO_SECONDS}")
        self.finish(body)

    head = get


handlers: list[tuple[str, type]] = [
    (r"/api/kernels", FleetKernelsHandler),
    (rf"/api/kernels/{_kernel_id_regex}", FleetKernelHandler),
    (rf"/api/kernels/{_kernel_id_regex}/{_kernel_action_regex}", FleetKernelActionHandler),
    (rf"/api/kernels/{_kernel_id_regex}/channels", FleetKernelWebsocketHandler),
    (r"/api/kernelspecs", FleetKernelSpecsHandler),
    (rf"/kernelspecs/{kernel_name_regex}/(?P<path>.*)", FleetKernelSpecResourceHandler),
]
