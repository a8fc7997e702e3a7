"""Base of the gateway's REST handlers."""

import json
from typing import Any

from enterprise_gateway.mixins import CORSMixin  # type: ignore[import-untyped]

from gateway_ext.kernels.handlers.authentication import authenticate_call
from gateway_ext.kernels.handlers.refused_calls import RefusedCalls
from gateway_ext.kernels.handlers.relay import Answer
from gateway_ext.kernels.handlers.routes import require_named
from gateway_ext.kernels.kernel_access import KernelAccess
from gateway_ext.kernels.kernel_model import outline_of
from gateway_ext.kernels.manager import FleetMappingKernelManager
from gateway_ext.kernels.place import Place
from gateway_ext.kernels.refusal import RETRY_SECONDS, Refusal
from gateway_ext.ownership.records import KernelRecord
from jupyter_ext.platform.personal_kernels import Deed, allows
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.route_table import Who
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.headers import DIRECT, DIRECT_HEADER


class FleetHandler(CORSMixin, RefusedCalls):
    """A call with a valid token. Errors are raised as Refusal."""

    identity: Identity
    deed = "do that"
    """What only services may do, where `routes` says so; with what to do instead."""

    async def prepare(self) -> None:
        entry = require_named(self)
        if self.request.method == "OPTIONS":
            return
        self.identity = await authenticate_call(self)
        if entry.who is Who.SERVICES and self.identity.service is None:
            raise Refusal(403, f"only a service token may {self.deed}")

    @property
    def manager(self) -> FleetMappingKernelManager:
        manager: FleetMappingKernelManager = self.settings["kernel_manager"]
        return manager

    @property
    def access(self) -> KernelAccess:
        """What callers may do with kernels."""
        access: KernelAccess = self.settings["fleet_kernel_access"]
        return access

    async def require(self, kernel: Place | KernelRecord, role: Role, deed: Deed) -> None:
        """Raises Refusal, 403 or 404, unless the caller may do that with the kernel; see
        `KernelAccess.require`."""
        await self.access.require(
            self.identity,
            kernel.kernel_id,
            kernel.project,
            role,
            only_for=kernel.only_for,
            deed=deed,
        )

    def model(self, record: KernelRecord) -> dict[str, Any]:
        """What the caller gets to see of a kernel that they know of."""
        model = self.manager.model(record)
        mine = allows(self.identity, record.project, record.only_for, Deed.USE)
        return model if mine or self.identity.service is not None else outline_of(model)

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
