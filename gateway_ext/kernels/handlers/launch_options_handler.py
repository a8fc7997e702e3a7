"""What a project may choose when it starts a kernel (docs/protocols.md, "Launch options")."""

from tornado import web

from gateway_ext.kernels.handlers.authentication import choose_project
from gateway_ext.kernels.handlers.fleet_handler import FleetHandler
from gateway_ext.kernels.kernel_access import require_role
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.platform.projects import ProjectNameError, check_project_name
from jupyter_ext.platform.roles import Role
from jupyter_ext.wire.routes import LAUNCH_OPTIONS_ROUTE, pattern_of


class LaunchOptionsHandler(FleetHandler):
    """`/api/fleet/kernelspecs/{name}/launch-options?project=P`."""

    async def get(self, name: str) -> None:
        if not name.isprintable():
            raise Refusal(404, "names must not have unprintable characters")
        asked = self.get_query_argument("project", "")
        try:
            project = check_project_name(choose_project(self.identity, asked or None))
        except ProjectNameError as error:
            raise Refusal(400, str(error)) from error
        require_role(self.identity, project, Role.VIEWER)
        manager = self.manager
        meant = await manager.meant_name(name)
        spec = await manager.launches.processes.kernelspec(meant)
        why_shared = manager.launches.processes.why_shared(spec)
        effective = await manager.launch_rules.effective(project, meant, spec)
        self.answer(
            {
                "name": meant,
                "project": project,
                "schema": effective.schema,
                "defaults": effective.defaults,
                # What gateways of the version before do not say, and cannot do.
                "personal": not why_shared,
                "why_shared": why_shared,
                "client_envs": list(self.settings["eg_client_envs"]),
            }
        )


launch_options_handlers: list[tuple[str, type[web.RequestHandler]]] = [
    (pattern_of(LAUNCH_OPTIONS_ROUTE), LaunchOptionsHandler)
]
