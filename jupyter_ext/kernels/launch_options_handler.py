"""What a project may choose when it starts a kernel, as the gateways say it."""

from __future__ import annotations

import json
from typing import cast

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.auth.user import current_identity
from jupyter_ext.kernels.launch_rules import offered
from jupyter_ext.kernels.manager import project_of, require_role
from jupyter_ext.kernels.specs import FleetKernelSpecManager
from jupyter_ext.platform.roles import Role
from jupyter_ext.wire.routes import LAUNCH_OPTIONS_ROUTE, pattern_of


class LaunchOptionsHandler(APIHandler):
    """`/api/fleet/kernelspecs/{name}/launch-options?project=P`."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """`{"name", "project", "schema", "defaults"}`."""
        project = project_of(self.get_query_argument("project", ""))
        if not project:
            raise web.HTTPError(400, "name the project: ?project=…")
        require_role(current_identity(), project, Role.VIEWER)
        specs = cast(FleetKernelSpecManager, self.kernel_spec_manager)
        rules = await specs.launch_rules.of(name, project)
        self.finish(json.dumps(offered(rules)))


handlers: list[tuple[str, type]] = [(pattern_of(LAUNCH_OPTIONS_ROUTE), LaunchOptionsHandler)]
