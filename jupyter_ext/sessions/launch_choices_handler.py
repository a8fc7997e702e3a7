"""With which launch options a kernel was started last, for the form that asks for them."""

from __future__ import annotations

import json
from functools import partial
from typing import cast

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.auth.user import current_identity
from jupyter_ext.kernels.manager import project_of, require_role
from jupyter_ext.kernels.specs import FleetKernelSpecManager
from jupyter_ext.platform.roles import Role
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.store import launch_choices


class LaunchChoicesHandler(APIHandler):
    """`/api/fleet/launch-choices?path=P&kernel=NAME`."""

    @web.authenticated
    async def get(self) -> None:
        """`{"user": {…} or null, "document": {…} or null}`, for editors of the path's project."""
        path = "/".join(part for part in self.get_query_argument("path", "").split("/") if part)
        kernel = self.get_query_argument("kernel", "")
        project = project_of(path)
        if not project or not kernel:
            raise web.HTTPError(400, "name the document and the kernelspec: ?path=…&kernel=…")
        identity = current_identity()
        require_role(identity, project, Role.EDITOR)
        specs = cast(FleetKernelSpecManager, self.kernel_spec_manager)
        try:
            name = (await specs.get_kernel_spec(kernel))["name"]
        except KeyError:
            raise web.HTTPError(404, f"there is no kernelspec {kernel!r}") from None
        sessions = cast(FleetSessionManager, self.session_manager)
        username = identity.user if identity else ""
        choices = partial(launch_choices.choices, username=username, kernel_name=name, path=path)
        user, document = await sessions.run(choices, read_only=True)
        self.finish(json.dumps({"user": user, "document": document}))


handlers: list[tuple[str, type]] = [(r"/api/fleet/launch-choices", LaunchChoicesHandler)]
