"""REST calls about kernels and their owners (docs/protocols.md, "Client to gateway")."""

import asyncio
import json
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tornado import web

from gateway_ext.kernels.handlers.fleet_handler import FleetHandler
from gateway_ext.kernels.handlers.new_kernel import parse_body, parse_new_kernel
from gateway_ext.kernels.handlers.relay import (
    Answer,
    OwnerAway,
    Relay,
    still_unknown,
)
from gateway_ext.kernels.kernel_access import is_listed, require_role
from gateway_ext.kernels.kernel_id import check_kernel_id
from gateway_ext.kernels.launch_rules import refuse_another_start
from gateway_ext.kernels.place import Place, place_of
from gateway_ext.kernels.refusal import (
    AgentLeft,
    Refusal,
    owner_unknown,
    unknown_kernel,
    unreachable,
)
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.records import is_lost
from gateway_ext.ownership.states import KernelState
from jupyter_ext.audit.notes import note
from jupyter_ext.platform.personal_kernels import Deed
from jupyter_ext.platform.roles import Role
from jupyter_ext.wire.headers import ASYNC, HERE, PLACEMENT_HEADER, START_HEADER
from jupyter_ext.wire.routes import (
    EVENTS_ROUTE,
    GONE_ROUTE,
    OWNER_ROUTE,
    PERSONAL,
    cancels_launch,
    pattern_of,
)

PATIENCE_SECONDS = 15.0
"""How long a stock client waits for an owner to be found before it gets 503."""

ANOTHER_SECONDS = 10.0
"""A start that the chosen gateway refuses within this time is tried at the next one."""

RECORD_SECONDS = 0.1
"""How often a caller that does not wait looks for the record of a start that another gateway was
asked for."""

LONGEST_REASON = 200


class KernelsHandler(FleetHandler):
    """`/api/kernels`."""

    async def get(self) -> None:
        wanted = self.get_query_argument(PERSONAL, "")
        records = [
            record
            for record in await self.manager.records.list_kernels()
            if self.identity.may(record.project, Role.VIEWER)
            and is_listed(self.identity, record.project, record.only_for, wanted)
        ]
        for project in {record.project for record in records}:
            self.access.met(self.identity, project)
        self.answer([self.model(record) for record in records])

    async def post(self) -> None:
        body = parse_body(self.request.body)
        manager = self.manager
        new = parse_new_kernel(
            body, self.identity, manager.default_kernel_name, self.settings["eg_client_envs"]
        )
        note(self, project=new.project, kernel=new.kernel_id)
        require_role(self.identity, new.project, Role.EDITOR)
        await self.access.require_served(self.identity, starts=True)
        self.access.met(self.identity, new.project)
        seconds = answer_seconds(self, new.environment)
        answer = await self._start_elsewhere(new, body, seconds)
        location = f"{self.settings['base_url']}api/kernels/{new.kernel_id}"
        if answer is None:
            record = await manager.start(new, seconds, lambda: self.access.claim(self.identity))
            self.set_header("Location", location)
            self.answer(self.model(record), 201)
            return
        if answer.status == 201:
            self.set_header("Location", location)
        self.pass_on(answer)

    async def _start_elsewhere(
        self, new: NewKernel, body: Mapping[str, Any], seconds: float | None
    ) -> Answer | None:
        """The response of the gateway with the fewest kernels; None if this one starts the kernel.

        The kernel gets its id before the call: if the chosen gateway ends during the start, this
        one finds the record that it left, or starts the kernel itself.
        """
        manager, relay = self.manager, self.settings["fleet_relay"]
        membership = manager.membership
        # A gateway of the version before would refuse a kernel for one person.
        chosen_by_another = self.request.headers.get(PLACEMENT_HEADER) == HERE or new.personal
        if chosen_by_another or not self.settings["fleet_spread_starts"]:
            membership.starts_at(membership.name)
            return None
        if not membership.takes_kernels:
            return None
        started = {**body, "kernel_id": new.kernel_id, "project": new.project}
        deadline = asyncio.get_running_loop().time() + ANOTHER_SECONDS
        meant = await manager.meant_name(new.kernel_name)
        ready = await manager.pools.owners(replace(new, kernel_name=meant))
        for member in membership.for_a_start(ready):
            # Before the first await, so that a start that follows at once uses another gateway.
            membership.starts_at(member.name)
            if member.name == membership.name:
                return None
            try:
                start = relay.start(
                    member.url,
                    self.request.uri or "",
                    self.identity.token,
                    json.dumps(started).encode(),
                    seconds,
                )
                return await (start if seconds is not None else self._begun(start, new))
            except OwnerAway as error:
                manager.log.warning("kernel %s is not started there: %s", new.kernel_id, error)
                if error.acted or asyncio.get_running_loop().time() > deadline:
                    return None
        return None

    async def _begun(self, start: Awaitable[Answer], new: NewKernel) -> Answer:
        """The response to a start for which the caller does not wait: the other gateway's, or ours
        once the record is there, if that one is of the version before and waits; raises
        OwnerAway, and Refusal (409) if the record is of another kernel."""
        call = asyncio.ensure_future(start)
        # Not awaited if the record is there first, or the database is away; what becomes of the
        # call is in the record, too.
        call.add_done_callback(lambda call: call.cancelled() or call.exception())
        while True:
            await asyncio.wait({call}, timeout=RECORD_SECONDS)
            if call.done():
                return call.result()
            record = await self.manager.records.get(new.kernel_id)
            if record is not None and record.state is not KernelState.DELETED:
                refuse_another_start(new, record)
                model = json.dumps(self.model(record)).encode()
                return Answer(201, "application/json", model)


def answer_seconds(handler: FleetHandler, environment: Mapping[str, str]) -> float | None:
    """How long the caller waits for a kernel to start; None if not at all."""
    if handler.request.headers.get(START_HEADER) == ASYNC:
        return None
    seconds: float = handler.settings["fleet_answer_seconds"]
    return float(environment.get("KERNEL_LAUNCH_TIMEOUT", seconds))


class _OneKernelHandler(FleetHandler):
    """A call about one kernel, which its owner answers."""

    async def at_owner(
        self,
        kernel_id: str,
        role: Role,
        *,
        twice: bool,
        launching: bool = False,
        settles: bool = False,
        deed: Deed = Deed.USE,
    ) -> Place | Answer:
        """The kernel's place if this gateway may act, or the owner's answer.

        A direct caller that should call another gateway gets 421, or 503 at once; others are
        relayed, and wait while the kernel has no owner. `twice` says that the call is idempotent,
        so that it may be repeated; `launching` that any gateway may act on a kernel that is being
        launched; `settles` that every caller waits until it is known whether an agent that has just
        gone is dead.
        """
        kernel_id = check_kernel_id(kernel_id)
        relay: Relay = self.settings["fleet_relay"]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        last = "no gateway owns it"
        pause = 0.05
        while True:
            place = await self.manager.place(kernel_id)
            note(self, project=place.project)
            await self.require(place, role, deed)
            if place.link is not None or place.launching or self.ownerless(place):
                return place
            if place.is_unreachable or (launching and place.is_launching):
                return place
            left = deadline - loop.time()
            if settles and place.owner is None and place.record is not None and left > 0:
                await self.manager.lost_kernels.look(place.record, left)
            elif self.direct:
                self.send_away(place)
            if place.owner is not None:
                try:
                    return await relay.call(
                        place.owner.url,
                        self.request.method or "GET",
                        self.request.uri or "",
                        self.identity.token,
                    )
                except OwnerAway as error:
                    last = str(error)
                    if error.acted and not twice:
                        raise Refusal(503, f"{last}; whether it was done is not known") from error
            if loop.time() > deadline:
                raise still_unknown(kernel_id, last)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.5)

    @staticmethod
    def ownerless(place: Place) -> bool:
        """Whether any gateway may act, because the kernel's agent is known to be gone."""
        record = place.record
        return record is not None and record.state is KernelState.DEAD and record.owner is None

    @staticmethod
    def send_away(place: Place) -> None:
        """Raises the Refusal for a caller that looks for the owner itself."""
        if place.owner is None:
            raise owner_unknown(place.kernel_id)
        raise Refusal(
            421,
            f"gateway {place.owner.name} owns kernel {place.kernel_id}",
            url=place.owner.url,
            epoch=place.epoch,
        )


class KernelHandler(_OneKernelHandler):
    """`/api/kernels/{id}`."""

    async def get(self, kernel_id: str) -> None:
        record = await self.manager.record(check_kernel_id(kernel_id))
        await self.require(record, Role.VIEWER, Deed.SEE)
        self.answer(self.model(record))

    async def delete(self, kernel_id: str) -> None:
        try:
            cancels = cancels_launch(self.request.query_arguments)
        except ValueError as error:
            raise Refusal(400, str(error)) from error
        try:
            # Only its owner knows whether it runs already.
            place = await self.at_owner(
                kernel_id, Role.EDITOR, twice=True, launching=not cancels, deed=Deed.END
            )
        except Refusal as refusal:
            if refusal.status != 503 or cancels:
                raise
            record = await self.manager.record(kernel_id)
            lost = timedelta(seconds=self.manager.lost_seconds)
            if self.direct and not is_lost(record, datetime.now(UTC), lost):
                raise
            # No gateway can reach the agent. The record is decisive: the next gateway that the
            # agent connects to tells it to end.
            place = place_of(record)
        if isinstance(place, Answer):
            self.pass_on(place)
            return
        reason = ""
        if self.identity.service is not None:
            reason = self.get_query_argument("reason", "")[:LONGEST_REASON]
        # A service that gives a reason acts by itself, not for a user.
        user = "" if reason else self.identity.user
        await self.manager.delete(place, user, reason, launching=cancels)
        self.set_status(204)
        self.finish()


class InterruptHandler(_OneKernelHandler):
    """`/api/kernels/{id}/interrupt`."""

    async def post(self, kernel_id: str) -> None:
        place = await self.at_owner(kernel_id, Role.EDITOR, twice=True)
        if isinstance(place, Answer):
            self.pass_on(place)
            return
        if place.launching:
            self.manager.board.interrupt(place.kernel_id)
        elif place.record is not None and place.record.silence is not None:
            raise unreachable(kernel_id, place.record.silence, datetime.now(UTC))
        elif place.link is None:
            raise Refusal(409, f"kernel {kernel_id} is dead: restart it")
        else:
            await self.manager.interrupt(place.link, self.identity.user)
        self.set_status(204)
        self.finish()


class RestartHandler(_OneKernelHandler):
    """`/api/kernels/{id}/restart`."""

    async def post(self, kernel_id: str) -> None:
        place = await self.at_owner(
            kernel_id, Role.EDITOR, twice=False, launching=True, settles=True
        )
        if isinstance(place, Answer):
            self.pass_on(place)
            return
        seconds = answer_seconds(self, {})
        try:
            await self.manager.restart(place, self.identity.user, seconds)
        except AgentLeft as left:
            place = await self._without_agent(kernel_id, left)
            await self.manager.restart(place, self.identity.user, seconds)
        # Without the database, if need be: whoever is not answered has it restarted once more.
        record = place.link.record if place.link else await self.manager.record(kernel_id)
        self.answer(self.model(record))

    async def _without_agent(self, kernel_id: str, left: AgentLeft) -> Place:
        """The kernel's place once its agent, which has just left, is known to be dead or is
        unreachable. Raises `left` if it has gone to another gateway, or nobody knows: it may have
        restarted the kernel."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while (seconds := deadline - loop.time()) > 0:
            place = await self.manager.place(kernel_id)
            if self.ownerless(place) or place.is_unreachable:
                return place
            if place.link is not None or place.owner is not None or place.record is None:
                break
            await self.manager.lost_kernels.look(place.record, seconds)
            await asyncio.sleep(0.25)
        raise left


class OwnerHandler(_OneKernelHandler):
    """`/api/fleet/kernels/{id}/owner`."""

    async def get(self, kernel_id: str) -> None:
        place = await self.manager.place(check_kernel_id(kernel_id))
        # Whoever ends a kernel asks where.
        await self.require(place, Role.VIEWER, Deed.SEE)
        if (
            place.link is not None
            or place.launching
            or place.is_unreachable
            or self.ownerless(place)
        ):
            url = self.manager.membership.url
        elif place.owner is not None:
            url = place.owner.url
        else:
            raise owner_unknown(kernel_id)
        self.answer({"url": url, "epoch": place.epoch})


class GoneHandler(FleetHandler):
    """`/api/fleet/kernels/{id}/gone`: an operator's word that what ran an unreachable kernel is
    gone, where the fleet cannot find out. For services, at any gateway."""

    deed = "say so: use `jupyter fleet kernel ID --gone`"

    async def post(self, kernel_id: str) -> None:
        record = await self.manager.record(check_kernel_id(kernel_id))
        await self.manager.lost_restarts.declare_gone(record)
        self.answer(self.model(await self.manager.record(kernel_id)))


class EventsHandler(FleetHandler):
    """`/api/fleet/kernels/{id}/events`: of deleted kernels too, as long as they are remembered."""

    async def get(self, kernel_id: str) -> None:
        record = await self.manager.records.get(check_kernel_id(kernel_id))
        if record is None:
            raise unknown_kernel(kernel_id)
        # Operators look up why a kernel has ended.
        deed = Deed.USE if self.identity.service is None else Deed.SEE
        await self.require(record, Role.VIEWER, deed)
        self.answer(
            {
                "kernel": self.model(record),
                "events": [
                    {
                        "at": event.at.isoformat().replace("+00:00", "Z"),
                        "event": event.event,
                        "username": event.username,
                        "gateway": event.gateway,
                        "detail": event.detail,
                    }
                    for event in await self.manager.events.of(kernel_id)
                ],
            }
        )


class NotServedHandler(FleetHandler):
    """Routes that Enterprise Gateway serves from memory and a fleet does not have."""

    async def _refuse(self, *args: str) -> None:
        raise Refusal(404, "sessions are kept by the labs: a gateway of a fleet has none")

    get = post = put = patch = delete = _refuse


_ID = r"(?P<kernel_id>[^/]+)"

kernel_handlers: list[tuple[str, type[web.RequestHandler]]] = [
    (r"/api/kernels", KernelsHandler),
    (rf"/api/kernels/{_ID}", KernelHandler),
    (rf"/api/kernels/{_ID}/interrupt", InterruptHandler),
    (rf"/api/kernels/{_ID}/restart", RestartHandler),
    (pattern_of(OWNER_ROUTE), OwnerHandler),
    (pattern_of(GONE_ROUTE), GoneHandler),
    (pattern_of(EVENTS_ROUTE), EventsHandler),
    (r"/api/sessions(?:/.*)?", NotServedHandler),
]
