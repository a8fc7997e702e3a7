"""REST calls about kernels, gateways and owners (docs/protocols.md, "Client to gateway")."""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from enterprise_gateway.mixins import CORSMixin  # type: ignore[import-untyped]
from enterprise_gateway.services.kernels.handlers import (  # type: ignore[import-untyped]
    MAX_ENV_VALUE_LENGTH,
)
from tornado import web

from gateway_ext.kernels.authentication import (
    answer_refusal,
    authenticate,
    choose_project,
    require_role,
)
from gateway_ext.kernels.manager import FleetMappingKernelManager, Place
from gateway_ext.kernels.refusal import Refusal, owner_unknown, unknown_kernel
from gateway_ext.kernels.relay import (
    Answer,
    OwnerAway,
    Relay,
    still_unknown,
)
from gateway_ext.ownership.records import NewKernel
from gateway_ext.ownership.resolution import is_lost
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.encryption import DecryptionError
from jupyter_ext.platform.json_bodies import SMALL, JsonRefused, check, check_texts
from jupyter_ext.platform.projects import ProjectNameError, check_project_name
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.headers import DIRECT, DIRECT_HEADER, HERE, PLACEMENT_HEADER
from jupyter_ext.wire.routes import (
    DRAIN_ROUTE,
    EVENTS_ROUTE,
    GATEWAYS_ROUTE,
    OWNER_ROUTE,
    pattern_of,
)

PATIENCE_SECONDS = 15.0
"""How long a stock client waits for an owner to be found before it gets 503."""

ANOTHER_SECONDS = 10.0
"""A start that the chosen gateway refuses within this time is tried at the next one."""

LONGEST_PATH = 4096
LONGEST_REASON = 200


def check_kernel_id(kernel_id: str) -> str:
    """Returns the id if it is one; raises Refusal (400)."""
    try:
        if str(uuid.UUID(kernel_id)) == kernel_id:
            return kernel_id
    except ValueError:
        pass
    raise Refusal(400, f"{kernel_id!r} is not a kernel id: it must be a UUID in lower case")


def client_environment(asked: object, allowed: list[str]) -> dict[str, str]:
    """The part of a client's `env` that a kernel may get: KERNEL_… and what `client_envs` allows,
    as in Enterprise Gateway. Raises Refusal (400)."""
    if asked is None:
        return {}
    if not isinstance(asked, Mapping):
        raise Refusal(400, '"env" must be an object')
    environment = {}
    for name, value in asked.items():
        if not (name.startswith("KERNEL_") or name in allowed or allowed == ["*"]):
            continue
        if not isinstance(value, str):
            raise Refusal(400, f"the environment variable {name!r} must be a string")
        if not name or len(value) > MAX_ENV_VALUE_LENGTH or "\0" in name + value or "=" in name:
            raise Refusal(
                400,
                f"the environment variable {name!r} is not allowed: it needs a name without '=', "
                f"and a value of at most {MAX_ENV_VALUE_LENGTH} characters, both without NUL",
            )
        environment[name] = value
    return environment


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object in the body of a call, empty if there is none; raises Refusal (400, 413)."""
    try:
        check(body, SMALL)
        check_texts(body)
        document = json.loads(body or b"{}")
    except JsonRefused as error:
        raise Refusal(error.status, str(error)) from error
    except ValueError:
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refusal(400, "the body is not a JSON object")
    return document


def parse_new_kernel(
    body: Mapping[str, Any], identity: Identity, default_name: str, allowed_envs: list[str]
) -> NewKernel:
    """What a POST asks for; raises Refusal (400). Whether the caller may is not looked at."""
    environment = client_environment(body.get("env"), allowed_envs)
    texts = {}
    for name, default in (
        ("name", default_name),
        ("path", ""),
        ("project", environment.get("KERNEL_PROJECT", "")),
        ("kernel_id", environment.get("KERNEL_ID", "")),
    ):
        value = body.get(name) or default
        if not isinstance(value, str):
            raise Refusal(400, f'"{name}" must be a string')
        texts[name] = value
    if len(texts["path"].encode()) > LONGEST_PATH:
        raise Refusal(400, f'"path" has more than {LONGEST_PATH} bytes')
    try:
        project = check_project_name(choose_project(identity, texts["project"] or None))
    except ProjectNameError as error:
        raise Refusal(400, str(error)) from error
    launch_seconds = environment.get("KERNEL_LAUNCH_TIMEOUT", "1")
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]*)?", launch_seconds):
        raise Refusal(400, f"KERNEL_LAUNCH_TIMEOUT is not a number of seconds: {launch_seconds!r}")
    kernel_id = check_kernel_id(texts["kernel_id"]) if texts["kernel_id"] else str(uuid.uuid4())
    return NewKernel(
        kernel_id=kernel_id,
        project=project,
        path=texts["path"],
        username=identity.user,
        kernel_name=texts["name"],
        environment=environment,
    )


class FleetHandler(CORSMixin, web.RequestHandler):
    """A call by somebody with a valid token. Refusals are raised."""

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
        """Whether the caller looks for the owner itself."""
        return self.request.headers.get(DIRECT_HEADER) == DIRECT

    def answer(self, document: object, status: int = 200) -> None:
        """Finishes with a JSON document."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(document))

    def pass_on(self, answer: Answer) -> None:
        """Finishes with another gateway's answer."""
        self.set_status(answer.status)
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


class KernelsHandler(FleetHandler):
    """`/api/kernels`."""

    async def get(self) -> None:
        manager = self.manager
        records = await manager.records.list_kernels()
        self.answer(
            [
                manager.model(record)
                for record in records
                if self.identity.may(record.project, Role.VIEWER)
            ]
        )

    async def post(self) -> None:
        body = parse_body(self.request.body)
        manager = self.manager
        new = parse_new_kernel(
            body, self.identity, manager.default_kernel_name, self.settings["eg_client_envs"]
        )
        require_role(self.identity, new.project, Role.EDITOR)
        answer = await self._start_elsewhere(new, body)
        location = f"{self.settings['base_url']}api/kernels/{new.kernel_id}"
        if answer is None:
            record = await manager.start(new)
            self.set_header("Location", location)
            self.answer(manager.model(record), 201)
            return
        if answer.status == 201:
            self.set_header("Location", location)
        self.pass_on(answer)

    async def _start_elsewhere(self, new: NewKernel, body: Mapping[str, Any]) -> Answer | None:
        """The answer of the gateway with the fewest kernels; None if this one starts the kernel.

        The kernel has its id before anybody is asked: if the chosen gateway ends during the start,
        this one finds the record that it has left, or starts the kernel itself.
        """
        manager, relay = self.manager, self.settings["fleet_relay"]
        membership = manager.membership
        chosen_by_another = self.request.headers.get(PLACEMENT_HEADER) == HERE
        if chosen_by_another or not self.settings["fleet_spread_starts"]:
            membership.starts_at(membership.name)
            return None
        if not manager.takes_kernels:
            return None
        started = {**body, "kernel_id": new.kernel_id, "project": new.project}
        deadline = asyncio.get_running_loop().time() + ANOTHER_SECONDS
        for member in membership.for_a_start():
            # Before anything is waited for: the next start, a moment later, goes elsewhere.
            membership.starts_at(member.name)
            if member.name == membership.name:
                return None
            try:
                return await relay.start(
                    member.url,
                    self.request.uri or "",
                    self.identity.token,
                    json.dumps(started).encode(),
                )
            except OwnerAway as error:
                manager.log.warning("kernel %s is not started there: %s", new.kernel_id, error)
                if error.acted or asyncio.get_running_loop().time() > deadline:
                    return None
        return None


class _OneKernelHandler(FleetHandler):
    """A call about one kernel, which its owner answers."""

    async def at_owner(self, kernel_id: str, role: Role, *, twice: bool) -> Place | Answer:
        """The kernel's place if this gateway may act, or the owner's answer.

        A direct caller that is wrong here gets 421, or 503 at once; others are relayed, and wait
        while an owner is being found. `twice` says that the call does no harm when it is made
        again without knowing whether it was done.
        """
        kernel_id = check_kernel_id(kernel_id)
        relay: Relay = self.settings["fleet_relay"]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        last = "no gateway owns it"
        pause = 0.05
        while True:
            place = await self.manager.place(kernel_id)
            require_role(self.identity, place.project, role)
            if place.link is not None or self.ownerless(place):
                return place
            if self.direct:
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
        require_role(self.identity, record.project, Role.VIEWER)
        self.answer(self.manager.model(record))

    async def delete(self, kernel_id: str) -> None:
        try:
            place = await self.at_owner(kernel_id, Role.EDITOR, twice=True)
        except Refusal as refusal:
            if refusal.status != 503:
                raise
            record = await self.manager.record(kernel_id)
            lost = timedelta(seconds=self.manager.lost_seconds)
            if self.direct and not is_lost(record, datetime.now(UTC), lost):
                raise
            # Nobody can be asked. The record is what counts: whichever gateway the agent finds
            # tells it to end.
            place = Place(kernel_id, record.project, record.epoch, None, None, record)
        if isinstance(place, Answer):
            self.pass_on(place)
            return
        reason = ""
        if self.identity.service is not None:
            reason = self.get_query_argument("reason", "")[:LONGEST_REASON]
        # A service that says why does it by itself, for nobody.
        await self.manager.delete(place, "" if reason else self.identity.user, reason)
        self.set_status(204)
        self.finish()


class InterruptHandler(_OneKernelHandler):
    """`/api/kernels/{id}/interrupt`."""

    async def post(self, kernel_id: str) -> None:
        place = await self.at_owner(kernel_id, Role.EDITOR, twice=True)
        if isinstance(place, Answer):
            self.pass_on(place)
            return
        if place.link is None:
            raise Refusal(409, f"kernel {kernel_id} is dead: restart it")
        await self.manager.interrupt(place.link, self.identity.user)
        self.set_status(204)
        self.finish()


class RestartHandler(_OneKernelHandler):
    """`/api/kernels/{id}/restart`."""

    async def post(self, kernel_id: str) -> None:
        place = await self.at_owner(kernel_id, Role.EDITOR, twice=False)
        if isinstance(place, Answer):
            self.pass_on(place)
            return
        await self.manager.restart(place, self.identity.user)
        self.answer(self.manager.model(await self.manager.record(kernel_id)))


class OwnerHandler(_OneKernelHandler):
    """`/api/fleet/kernels/{id}/owner`."""

    async def get(self, kernel_id: str) -> None:
        place = await self.manager.place(check_kernel_id(kernel_id))
        require_role(self.identity, place.project, Role.VIEWER)
        if place.link is not None or self.ownerless(place):
            url = self.manager.membership.url
        elif place.owner is not None:
            url = place.owner.url
        else:
            raise owner_unknown(kernel_id)
        self.answer({"url": url, "epoch": place.epoch})


class EventsHandler(FleetHandler):
    """`/api/fleet/kernels/{id}/events`: of deleted kernels too, as long as they are remembered."""

    async def get(self, kernel_id: str) -> None:
        records = self.manager.records
        record = await records.get(check_kernel_id(kernel_id))
        if record is None:
            raise unknown_kernel(kernel_id)
        require_role(self.identity, record.project, Role.VIEWER)
        self.answer(
            {
                "kernel": self.manager.model(record),
                "events": [
                    {
                        "at": event.at.isoformat().replace("+00:00", "Z"),
                        "event": event.event,
                        "username": event.username,
                        "gateway": event.gateway,
                        "detail": event.detail,
                    }
                    for event in await records.events(kernel_id)
                ],
            }
        )


class DrainHandler(FleetHandler):
    """`/api/fleet/gateways/{name}/drain`: at any gateway, for services."""

    async def _there(self, name: str) -> bool:
        """Whether another gateway was meant, and has answered."""
        if self.identity.service is None:
            raise Refusal(403, "only a service token may drain gateways: use `jupyter fleet drain`")
        membership = self.manager.membership
        member = next((one for one in membership.members if one.name == name), None)
        if member is None:
            names = ", ".join(one.name for one in membership.members)
            raise Refusal(404, f"no running gateway is called {name!r}: there are {names}")
        if name == membership.name:
            return False
        relay: Relay = self.settings["fleet_relay"]
        try:
            answer = await relay.call(
                member.url,
                self.request.method or "POST",
                self.request.uri or "",
                self.identity.token,
            )
        except OwnerAway as error:
            raise Refusal(503, f"gateway {name} does not answer: {error}") from error
        self.pass_on(answer)
        return True

    async def post(self, name: str) -> None:
        if await self._there(name):
            return
        manager = self.manager
        # Another one may have been drained a moment ago.
        await manager.membership.beat()
        if all(m.draining or m.name == name for m in manager.membership.members):
            raise Refusal(409, f"no other gateway could take the kernels of {name}: start one")
        left = await manager.drain(self.settings["fleet_drain_seconds"])
        self.answer({"name": name, "draining": True, "kernels": left})

    async def delete(self, name: str) -> None:
        if await self._there(name):
            return
        await self.manager.undrain()
        left = len(list(self.manager.links))
        self.answer({"name": name, "draining": False, "kernels": left})


class GatewaysHandler(FleetHandler):
    """`/api/fleet/gateways`."""

    def get(self) -> None:
        membership = self.manager.membership
        self.answer(
            [
                {
                    "name": member.name,
                    "url": member.url,
                    "kernels": member.kernels,
                    "draining": member.draining,
                }
                for member in membership.members
            ]
        )


class NotServedHandler(FleetHandler):
    """What Enterprise Gateway serves from its memory and a fleet does not have there."""

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
    (pattern_of(EVENTS_ROUTE), EventsHandler),
    (pattern_of(GATEWAYS_ROUTE), GatewaysHandler),
    (pattern_of(DRAIN_ROUTE), DrainHandler),
    (r"/api/sessions(?:/.*)?", NotServedHandler),
]
