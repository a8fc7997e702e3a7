"""The websockets of clients.

`client_wires` has what is spoken over them. All of them open at once, also while the kernel is
being launched.
"""

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from tornado import websocket

from gateway_ext.kernels.agents.client_streams import Opening, person_of
from gateway_ext.kernels.callers import Callers
from gateway_ext.kernels.client_room import PER_PERSON
from gateway_ext.kernels.handlers.authentication import authenticate_call
from gateway_ext.kernels.handlers.client_wires import (
    DeadWire,
    FleetWire,
    LaunchWire,
    StockWire,
)
from gateway_ext.kernels.handlers.fleet_socket import FleetSocket
from gateway_ext.kernels.handlers.refused_calls import as_refusal
from gateway_ext.kernels.kernel_id import check_kernel_id
from gateway_ext.kernels.manager import FleetMappingKernelManager
from gateway_ext.kernels.place import Place
from gateway_ext.kernels.refusal import Refusal, unreachable
from gateway_ext.kernels.unsent_bytes import UnsentOfClient
from gateway_ext.ownership.states import KernelState
from jupyter_ext.audit.audit import record
from jupyter_ext.audit.audit_event import Outcome
from jupyter_ext.audit.notes import note
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.kernels.bounded_socket import BoundedSocket
from jupyter_ext.kernels.refused_messages import too_long
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.socket_login import SocketEnd, SocketLogin
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.close_codes import (
    OF_STATUS,
    OWNER_CHANGES,
    TOO_MANY,
    TOO_MUCH,
)
from jupyter_ext.wire.close_reason import close_reason
from jupyter_ext.wire.frames import SUBPROTOCOL
from jupyter_ext.wire.headers import TAKES_TOKENS, TAKES_TOKENS_HEADER
from jupyter_ext.wire.messages import V1_PROTOCOL
from jupyter_ext.wire.routes import CHANNELS_ROUTE, LAUNCHING, pattern_of

_CLOSE_CODES = {**OF_STATUS, 421: OWNER_CHANGES}
_PING_SECONDS = 20.0
_LONGEST_TOKEN_FRAME = 64 * 1024


class ChannelsHandler(BoundedSocket, FleetSocket):
    """One websocket of one client, until the client, its token or the kernel's owner goes."""

    def initialize(self) -> None:
        self.manager: FleetMappingKernelManager = self.settings["kernel_manager"]
        self._kernel_id = ""
        self._session_id = ""
        self._refusal: Refusal | None = None
        self._identity: Identity | None = None
        self._project = ""
        self._login: SocketLogin | None = None
        self._wire: FleetWire | LaunchWire | DeadWire | StockWire | None = None
        self._unsent: UnsentOfClient | None = None
        self._leave_room: Callable[[], None] | None = None

    @property
    def _callers(self) -> Callers:
        callers: Callers = self.settings["fleet_callers"]
        return callers

    @property
    def longest_message(self) -> int:
        return self.manager.max_message_bytes

    @property
    def ping_interval(self) -> float:
        return _PING_SECONDS

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return next((name for name in (SUBPROTOCOL, V1_PROTOCOL) if name in subprotocols), None)

    async def get(self, kernel_id: str) -> None:
        self._kernel_id = kernel_id
        fleet = SUBPROTOCOL in self.request.headers.get("Sec-WebSocket-Protocol", "")
        try:
            await self._admit(check_kernel_id(kernel_id), fleet)
        except (Refusal, DatabaseUnavailable) as error:
            refusal = as_refusal(500, error)
            if not fleet or refusal.status not in _CLOSE_CODES:
                raise
            # The protocol has close codes for this, which a rejected handshake could not send.
            self._refusal = refusal
            if refusal.status in (401, 403) or refusal.for_audit:
                note(self, refused=refusal.for_audit or refusal.message)
        if fleet:
            self.set_header(TAKES_TOKENS_HEADER, TAKES_TOKENS)
        await self.upgrade(kernel_id)

    async def _admit(self, kernel_id: str, fleet: bool) -> None:
        self._identity = identity = await authenticate_call(self)
        self._session_id = self.get_query_argument("session_id", "") or uuid.uuid4().hex
        place = await self.manager.place(kernel_id)
        self._project = place.project
        note(self, project=place.project)
        await self.settings["fleet_kernel_access"].require(
            identity, kernel_id, place.project, Role.EDITOR, only_for=place.only_for
        )
        if fleet:
            self._wire = self._fleet_wire(place, identity)
            return
        held = self.settings["fleet_held_messages"]
        self._wire = StockWire(self, self.manager, kernel_id, self._session_id, identity, held)

    def _fleet_wire(self, place: Place, identity: Identity) -> FleetWire | LaunchWire | DeadWire:
        nonce = self.get_query_argument("stream", "")
        received = self.get_query_argument("received", None)
        if not nonce or (received is not None and not re.fullmatch("[0-9]{1,18}", received)):
            raise Refusal(400, f"{SUBPROTOCOL} needs stream=…, and received must be a number")
        # Labs of the version before expect binary frames only.
        takes_notices = self.get_query_argument(LAUNCHING, "") == "1"
        journal = self.get_query_argument("journal", None)
        if journal is not None and not re.fullmatch("[0-9a-f]{32}", journal):
            raise Refusal(400, "journal must be the 32 hexadecimal digits that the gateway sent")
        opening = Opening(
            self._session_id,
            nonce,
            None if received is None else int(received),
            journal,
            cursor=self.get_query_argument("cursor", "") == "1",
            takes_notices=takes_notices,
            person=person_of(identity.user),
            user=None if identity.service else identity.user,
        )
        if place.link is not None:
            return FleetWire(self, place.link, opening)
        if place.launching and takes_notices:
            return LaunchWire(self, self.manager, place.kernel_id, opening)
        record = place.record
        if record is not None and record.state is KernelState.DEAD and record.owner is None:
            if takes_notices:
                return DeadWire(self, record.reason)
            raise Refusal(404, f"kernel {place.kernel_id} is dead: {record.reason}")
        if record is not None and record.silence is not None:
            raise unreachable(place.kernel_id, record.silence, datetime.now(UTC))
        if place.owner is not None:
            raise Refusal(421, f"gateway {place.owner.name} owns the kernel")
        raise Refusal(503, "no owner of the kernel is known yet")

    def open(self, kernel_id: str) -> None:
        self.set_nodelay(True)
        if self._refusal is not None:
            self.end(_CLOSE_CODES[self._refusal.status], self._refusal.message)
            return
        if self._identity is None or self._wire is None:
            raise RuntimeError("opened without having been admitted")
        if not self._enter_room(self._identity.user):
            self._wire = None
            self.end(
                TOO_MANY,
                f"you have {PER_PERSON} connections to this kernel: close some of its pages",
            )
            return
        self._login = SocketLogin(
            self._identity,
            self._callers.verifier,
            self._end_login,
            rights=self._callers.rights,
            needs=(self._project, Role.EDITOR),
        )
        all_unsent = self.settings["fleet_unsent_bytes"]
        self._unsent = UnsentOfClient(all_unsent, self._identity.user, self._end_slow)
        self.manager.websockets.add(self)
        self._wire.start()

    async def on_message(self, message: str | bytes) -> None:
        if self._wire is None or self._refusal is not None:
            return
        token = renewed_token(message) if self.selected_subprotocol == SUBPROTOCOL else None
        if token is None:
            self._wire.from_client(message)
        elif self._login is not None:
            self._login.renew(token)

    def on_too_long(self, head: bytes, size: int) -> None:
        reason = too_long(size, self.longest_message)
        if self._wire is None or self._refusal is not None:
            return
        if not self._wire.refuse(head, reason):
            self.end(TOO_MUCH, reason)

    def on_close(self) -> None:
        self.manager.websockets.discard(self)
        if self._login is not None:
            self._login.stop()
        if self._wire is not None:
            self._wire.stop()
        if self._unsent is not None:
            self._unsent.stop()
        if self._leave_room is not None:
            self._leave_room()

    def _enter_room(self, user: str) -> bool:
        """Whether the kernel has a place for one more websocket of this person. A stock client's is
        counted where the kernel's owner has its stream."""
        room = self.manager.client_room
        if isinstance(self._wire, StockWire):
            return True
        if not room.enter(self._kernel_id, user):
            return False
        self._leave_room = partial(room.leave, self._kernel_id, user)
        return True

    def end(self, code: int, reason: str) -> None:
        """Closes the websocket."""
        self.close(code, close_reason(reason))

    def _end_login(self, end: SocketEnd) -> None:
        record(self, "websocket.end", Outcome.DENIED, end.reason, kernel=self._kernel_id)
        self.end(_CLOSE_CODES[end.status], end.reason)

    def _end_slow(self) -> None:
        self.end(OWNER_CHANGES, "too much is waiting to be read: connect again")

    def push(self, frame: str | bytes) -> None:
        """Sends without waiting. A client that reads too slowly is disconnected: it reconnects and
        gets the rest from the kernel's journal."""
        size, unsent = len(frame), self._unsent
        if unsent is None or not unsent.add(size):
            return
        try:
            written = self.write_message(frame, binary=isinstance(frame, bytes))
        except websocket.WebSocketClosedError:
            unsent.sent(size)
            return

        def sent(written: "asyncio.Future[None]") -> None:
            unsent.sent(size)
            if not written.cancelled():
                # A connection that ended meanwhile: on_close follows.
                written.exception()

        written.add_done_callback(sent)


def renewed_token(frame: str | bytes) -> str | None:
    """The token in a text frame `{"type": "token", "token"}` of `fleet.v1`; None for all others."""
    if isinstance(frame, bytes) or len(frame) > _LONGEST_TOKEN_FRAME:
        return None
    try:
        document = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("type") != "token":
        return None
    token = document.get("token")
    return token if isinstance(token, str) else None


channel_handlers = [(pattern_of(CHANNELS_ROUTE), ChannelsHandler)]
