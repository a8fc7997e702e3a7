"""The kernel manager of a lab: it keeps no kernels and forwards every call to the gateways."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection
from typing import Any, cast
from urllib.parse import quote, urlencode

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado import web
from traitlets import Callable as CallableTrait
from traitlets import Float, Instance, Integer, Unicode, default
from traitlets.config import LoggingConfigurable

from jupyter_ext.auth.route_policy import article
from jupyter_ext.auth.user import current_identity
from jupyter_ext.kernels.gateway_client import FleetGatewayClient
from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.kernels.launch_rules import NO_CHOICE, Choice
from jupyter_ext.kernels.launches import Model, until_it_runs
from jupyter_ext.kernels.specs import FleetKernelSpecManager
from jupyter_ext.platform.personal_kernels import MARK, Deed, allows
from jupyter_ext.platform.projects import ProjectNameError, ProjectPathError, split_path
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.headers import ASYNC, START_HEADER
from jupyter_ext.wire.routes import ALL, LAUNCHING, MINE, PERSONAL


class FleetKernel(LoggingConfigurable):
    """A handle for a kernel ID. Only a gateway knows whether the kernel exists."""

    kernel_id = Unicode()


class FleetKernelManager(AsyncMappingKernelManager):
    """Kernels of the fleet that the current user may see.

    No kernel belongs to a lab, so this keeps no list: kernels that another lab started work in the
    same way, and stopping a lab does not affect any kernel.
    """

    start_timeout = Float(
        60.0,
        config=True,
        help="Seconds that one gateway has to answer a start or a restart. Gateways of earlier "
        "versions answer a start when the kernel runs.",
    )
    list_patience = Float(
        5.0, config=True, help="Seconds after which listing kernels fails; pages ask again anyway."
    )
    max_held_bytes = Integer(
        1024 * 1024 * 1024,
        min=1024 * 1024,
        config=True,
        help="Bytes that all pages together may send while their kernels have no owner or are "
        "being launched. When there are more, the page that has sent the most is disconnected.",
    )
    gateways = Instance(FleetGatewayClient)
    held_messages = Instance(HeldMessages)
    on_choice = CallableTrait(
        help="Remembers the launch options of a start for its user: an async function of the "
        "kernelspec's name, the document's path, which may be empty, and the options."
    )

    @default("gateways")
    def _default_gateways(self) -> FleetGatewayClient:
        return FleetGatewayClient(parent=self)

    @default("held_messages")
    def _default_held_messages(self) -> HeldMessages:
        return HeldMessages(self.max_held_bytes)

    @default("on_choice")
    def _default_on_choice(self) -> Any:
        async def forget(kernel_name: str, document: str, options: Any) -> None:
            return

        return forget

    @property
    def _specs(self) -> FleetKernelSpecManager:
        return cast(FleetKernelSpecManager, self.kernel_spec_manager)

    async def start_kernel(  # type: ignore[override]
        self,
        *,
        kernel_id: str | None = None,
        path: str | None = None,
        kernel_name: str | None = None,
        env: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> str:
        """The id of a kernel that `launch` launches."""
        kernel = await self.launch(kernel_id=kernel_id, path=path, kernel_name=kernel_name, env=env)
        return str(kernel["id"])

    async def launch(
        self,
        *,
        kernel_id: str | None = None,
        path: str | None = None,
        kernel_name: str | None = None,
        env: dict[str, str] | None = None,
        choice: Choice = NO_CHOICE,
        document: str = "",
    ) -> Model:
        """Start a kernel, or find the one that already has this id; returns its model as soon as it
        has a record, long before it runs.

        `path` is the notebook's path (`project/dir/nb.ipynb`); its first folder is the kernel's
        project. Without a path it is the caller's only project. Repeating the call with the same
        id starts nothing twice, so it can be retried at several gateways.

        What `choice` says is checked, and remembered for the user and the kernelspec, and for the
        `document` if there is one. Raises HTTPError, 400 if it may not be chosen.
        """
        kernel_id_given = kernel_id is not None
        kernel_id = kernel_id or str(uuid.uuid4())
        if not kernel_name:
            kernel_name = await self._specs.default_name()
        body: dict[str, Any] = {"kernel_id": kernel_id, "name": kernel_name}
        if env:
            body["env"] = env
        identity = current_identity()
        project = project_of(path or "")
        if project:
            require_role(identity, project, Role.EDITOR)
            body |= {"project": project, "path": path}
        elif identity is not None and len(identity.projects) != 1:
            raise web.HTTPError(400, 'name the project of the kernel: {"path": "<project>/…"}')
        if choice:
            project = project or next(iter(identity.projects if identity else ()), "")
            meant = await self._specs.launch_rules.check(choice, kernel_name, project)
            body |= {"launch_options": dict(choice.options)}
        if choice.only_for_me:
            # Gateways of the version before know no such project, and start none for everybody.
            body |= {"project": f"{MARK}{project}"}
            document = ""
        if choice.shown is not None:
            body |= {"launch_defaults": dict(choice.shown)}
        if choice.environment:
            body |= {"env": {**body.get("env", {}), **choice.environment}}
        # Such a kernel stays, whatever comes of this call.
        existed = bool(choice.options) and kernel_id_given and await self._exists(kernel_id)
        model: Model = await self.gateways.call(
            "POST",
            "/api/kernels",
            body,
            seconds=self.start_timeout,
            headers={**self.gateways.headers(), START_HEADER: ASYNC},
        )
        if choice.options:
            if choice.options.keys() - model.get("launch_options", {}).keys():
                if existed:
                    raise web.HTTPError(
                        409,
                        f"kernel {kernel_id} exists with other launch options: choose another id",
                    )
                await self.shutdown_kernel(kernel_id, reason="it was started without its options")
                raise web.HTTPError(
                    503,
                    "a gateway of an earlier version, which knows no launch options, started "
                    "the kernel: try again",
                )
            await self.on_choice(meant, document, choice.options)
        return model

    async def until_it_runs(self, kernel: Model, seconds: float) -> Model:
        """The model of a kernel when it is launched. Raises HTTPError: LaunchFailed, or after
        `seconds` StillLaunching."""
        return await until_it_runs(kernel, self.kernel_model, time.monotonic() + seconds)

    async def list_kernels(self, personal: str = "") -> list[dict[str, Any]]:
        """The models of all kernels that the caller may see; 503 instead of an incomplete list.

        Of those of one person the caller's own, or for `ALL`, and for this lab itself, all whose
        existence the caller may know."""
        identity = current_identity()
        if not personal:
            personal = ALL if identity is None or identity.service else MINE
        path = f"/api/kernels?{urlencode({PERSONAL: personal})}"
        models: list[dict[str, Any]] = await self.gateways.call(
            "GET", path, patience=self.list_patience
        )
        return models

    async def kernel_model(self, kernel_id: str) -> dict[str, Any]:
        """The model of one kernel; 404 only if a gateway says that there is none."""
        path = f"/api/kernels/{quote(kernel_id, safe='')}"
        model: dict[str, Any] = await self.gateways.call("GET", path)
        return model

    async def _exists(self, kernel_id: str) -> bool:
        try:
            await self.kernel_model(kernel_id)
        except web.HTTPError as error:
            if error.status_code == 404:
                return False
            if error.status_code == 403:
                return True
            raise
        return True

    async def shutdown_kernel(  # type: ignore[override]
        self,
        kernel_id: str,
        now: bool = False,
        restart: bool = False,
        *,
        reason: str = "",
        launching: bool = False,
    ) -> None:
        """End a kernel and its record; the kernel's history shows the reason if a lab ends it by
        itself. With `launching` raises HTTPError (409) if it runs already; gateways of earlier
        versions end it all the same."""
        query = {"reason": reason} if reason else {}
        if launching:
            query[LAUNCHING] = "1"
        action = f"?{urlencode(query)}" if query else ""
        await self.gateways.call_owner("DELETE", kernel_id, action, seconds=30.0)

    async def interrupt_kernel(self, kernel_id: str) -> None:  # type: ignore[override]
        """Interrupt what a kernel is running."""
        await self.gateways.call_owner("POST", kernel_id, "/interrupt", {})

    async def restart_kernel(  # type: ignore[override]
        self, kernel_id: str, now: bool = False, *, at_once: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Restart a kernel's process, or launch a dead kernel again; the kernel keeps its id.
        Returns its model.

        With `at_once` a kernel that is launched again may still be on its way afterwards.
        """
        headers = self.gateways.headers()
        if at_once:
            headers[START_HEADER] = ASYNC
        model: dict[str, Any] = await self.gateways.call_owner(
            "POST", kernel_id, "/restart", {}, seconds=self.start_timeout, headers=headers
        )
        return model

    def get_kernel(self, kernel_id: str) -> FleetKernel:  # type: ignore[override]
        """A handle for any id; it asks nobody."""
        return FleetKernel(parent=self, kernel_id=kernel_id)

    def list_kernel_ids(self) -> list[str]:
        """None: this process must not watch or end any kernel."""
        return []

    async def shutdown_all(self, now: bool = False) -> None:  # type: ignore[override]
        """Does nothing: stopping a lab ends no kernel."""


def project_of(path: str) -> str:
    """The project of a path, empty for the root; raises HTTPError 400 for an invalid path."""
    try:
        return split_path(path)[0]
    except (ProjectNameError, ProjectPathError) as error:
        raise web.HTTPError(400, str(error)) from error


def check_named_project(named: object, path: str, projects: Collection[str]) -> None:
    """Raise 400 for the `project` of a start (None: it has none) that is not the one in which the
    kernel would be: that of its `path`, or the only one of its caller's `projects`."""
    if named is None:
        return
    project = project_of(path) or (next(iter(projects)) if len(projects) == 1 else "")
    if not project or named != project:
        raise web.HTTPError(
            400,
            'the project of a kernel is that of its path: send "path": "<project>/…" and leave out'
            ' "project" (for a kernel of your own: "launch_options": {"only_for_me": true})',
        )


def require_role(identity: Identity | None, project: str, role: Role) -> None:
    """Raise 403 unless the caller has this role in the project."""
    if identity is None or not identity.may(project, role):
        raise web.HTTPError(403, f"you are not {article(role)} of the project {project!r}")


def require_own(identity: Identity, kernel: Model) -> None:
    """Raise 403 for a kernel that somebody else has alone: owners of its project may end it, and
    see it for that, but not use it."""
    person = kernel.get("only_for")
    if person is not None and not allows(identity, kernel["project"], person, Deed.USE):
        raise web.HTTPError(403, f"kernel {kernel['id']} is {person}'s alone")
