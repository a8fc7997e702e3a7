"""What is spoken over the websockets of clients.

`fleet.v1` (labs, and gateways that relay) uses the agent's link directly, and waits for it while
the kernel is being launched. Stock clients (`v1.kernel.websocket.jupyter.org`, or JSON) get a
`KernelStream`, which speaks `fleet.v1` to the owner, this gateway or another one, and follows it
when it changes.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable
from typing import Any, Protocol

from gateway_ext.kernels.agents.agent_link import AgentLink, LinkLost
from gateway_ext.kernels.agents.client_streams import Opened, Opening
from gateway_ext.kernels.manager import FleetMappingKernelManager
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.launch_status import LaunchStatus
from gateway_ext.ownership.states import KernelState
from jupyter_ext.kernels.aborted_launch import abort_waiting
from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.kernels.json_messages import json_to_v1, v1_to_json
from jupyter_ext.kernels.owner_socket import StreamEnd
from jupyter_ext.kernels.refused_messages import refusals
from jupyter_ext.kernels.stream import KernelStream
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.close_codes import (
    NO_SUCH_KERNEL,
    OWNER_CHANGES,
    PROTOCOL_ERROR,
    TOO_MANY,
)
from jupyter_ext.wire.frames import CLIENT_HEADER_BYTES, SUBPROTOCOL, pack_client_frame
from jupyter_ext.wire.headers import DIRECT, DIRECT_HEADER
from jupyter_ext.wire.launch_messages import status_message
from jupyter_ext.wire.messages import V1_PROTOCOL, MessageError, channel_of


class ClientSocket(Protocol):
    """The websocket of a client."""

    @property
    def selected_subprotocol(self) -> str | None:
        """What client and gateway have agreed on; None for JSON."""

    def push(self, frame: str | bytes) -> None:
        """Sends without waiting."""

    def end(self, code: int, reason: str) -> None:
        """Closes it."""

    def write_message(self, message: str | bytes, binary: bool = False) -> Awaitable[None]:
        """Sends; done when more can be sent."""


INTERRUPTED = {"type": "interrupted"}


class FleetWire:
    """fleet.v1, here at the owner. The `ClientEnd` of the agent's link."""

    def __init__(self, socket: ClientSocket, link: AgentLink, opening: Opening) -> None:
        self._socket = socket
        self._link = link
        self._opening = opening
        self._stream = 0

    def start(self) -> None:
        try:
            self._stream = self._link.open_stream(self, self._opening)
        except LinkLost:
            self.end(OWNER_CHANGES, "the kernel is moving to another gateway")

    def stop(self) -> None:
        if self._stream:
            self._link.close_stream(self._stream)

    def from_client(self, frame: str | bytes) -> None:
        if isinstance(frame, str) or len(frame) < CLIENT_HEADER_BYTES:
            self.end(
                PROTOCOL_ERROR,
                f"{SUBPROTOCOL} has binary frames of at least {CLIENT_HEADER_BYTES} bytes",
            )
            return
        self._link.from_client(self._stream, frame)

    def refuse(self, beginning: bytes, reason: str) -> bool:
        """What is sent over this has numbers: one that is missing cannot be answered."""
        return False

    def opened(self, opened: Opened) -> None:
        if opened.journal is not None:
            self._socket.push(json.dumps({"type": "journal", "id": opened.journal}))
        if opened.people is not None and self._opening.cursor:
            self._socket.push(json.dumps({**opened.people, "type": "people"}))
        self._socket.push(pack_client_frame(opened.start, opened.acknowledged))
        if opened.gap is not None:
            first, last = opened.gap
            notice = {"type": "gap", "from": first, "to": last, "limit": opened.limit}
            self._socket.push(json.dumps(notice))

    def deliver(self, frame: bytes) -> None:
        self._socket.push(frame)

    def interrupted(self) -> None:
        if self._opening.takes_notices:
            self._socket.push(json.dumps(INTERRUPTED))

    def shut_down(self, by: str) -> None:
        if self._opening.cursor:
            self._socket.push(json.dumps({"type": "shut_down", "by": by}))

    def end(self, code: int, reason: str) -> None:
        self._socket.end(code, reason)


class LaunchWire:
    """fleet.v1 at a kernel that is being launched here: text frames until the agent is there. A
    `LaunchListener`."""

    def __init__(
        self,
        socket: ClientSocket,
        manager: FleetMappingKernelManager,
        kernel_id: str,
        opening: Opening,
    ) -> None:
        self._socket = socket
        self._manager = manager
        self._kernel_id = kernel_id
        self._opening = opening
        self._wire: FleetWire | None = None

    def start(self) -> None:
        board, link = self._manager.board, self._manager.links.get(self._kernel_id)
        if link is not None:
            # It came while the websocket was being opened.
            self.connected(link)
        elif not board.listen(self._kernel_id, self):
            if self._kernel_id in board:
                self._socket.end(
                    TOO_MANY, "too many clients wait for this kernel: close some of its pages"
                )
            else:
                self.gone(deleted=False)

    def stop(self) -> None:
        self._manager.board.forget(self._kernel_id, self)
        if self._wire is not None:
            self._wire.stop()

    def from_client(self, frame: str | bytes) -> None:
        if self._wire is not None:
            self._wire.from_client(frame)
        else:
            self._socket.end(
                PROTOCOL_ERROR, f"a client of {SUBPROTOCOL} sends nothing before the first frame"
            )

    def refuse(self, beginning: bytes, reason: str) -> bool:
        return False

    def launch_changed(self, status: LaunchStatus) -> None:
        self._push({"type": "launch", "state": "launching", "launch": status.shown()})

    def interrupted(self) -> None:
        self._push(INTERRUPTED)

    def connected(self, link: AgentLink) -> None:
        self._wire = FleetWire(self._socket, link, self._opening)
        self._wire.start()

    def failed(self, reason: str) -> None:
        DeadWire(self._socket, reason).start()

    def gone(self, deleted: bool) -> None:
        if deleted:
            self._socket.end(NO_SUCH_KERNEL, "the kernel was deleted")
        else:
            self._socket.end(OWNER_CHANGES, "the kernel is moving to another gateway")

    def _push(self, document: dict[str, Any]) -> None:
        self._socket.push(json.dumps(document))


class DeadWire:
    """fleet.v1 at a kernel that is dead and has no agent: says why, and ends."""

    def __init__(self, socket: ClientSocket, reason: str) -> None:
        self._socket = socket
        self._reason = reason

    def start(self) -> None:
        self._socket.push(json.dumps({"type": "dead", "reason": self._reason}))
        self._socket.end(NO_SUCH_KERNEL, f"the kernel is dead: {self._reason}")

    def stop(self) -> None:
        return

    def from_client(self, frame: str | bytes) -> None:
        return

    def refuse(self, beginning: bytes, reason: str) -> bool:
        return False


class StockWire:
    """A stock client, on a stream that follows the owner."""

    def __init__(
        self,
        socket: ClientSocket,
        manager: FleetMappingKernelManager,
        kernel_id: str,
        session_id: str,
        identity: Identity,
        held: HeldMessages,
    ) -> None:
        """`held` has what all stock clients of this gateway have sent to kernels that do not take
        it yet."""
        self._socket = socket
        self._manager = manager
        self._kernel_id = kernel_id
        # As a kernel process has one.
        self._sender = uuid.uuid4().hex
        self._said_starting = False
        self._has_run = False
        self._stream = KernelStream(
            resolve=self._resolve,
            headers={"Authorization": f"Bearer {identity.token}", DIRECT_HEADER: DIRECT},
            kernel_id=kernel_id,
            session_id=session_id,
            on_message=self._from_kernel,
            on_closed=socket.end,
            on_notice=self._take_notice,
            still_launching=self._is_launching,
            held=held,
            max_message_bytes=manager.max_message_bytes,
            log=manager.log,
        )
        self._closing: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._stream.start()

    def stop(self) -> None:
        self._closing = asyncio.ensure_future(self._stream.close())

    def from_client(self, message: str | bytes) -> None:
        try:
            if self._socket.selected_subprotocol == V1_PROTOCOL:
                if isinstance(message, str):
                    raise MessageError(f"{V1_PROTOCOL} has binary frames only")
                channel_of(message)
                self._stream.send(message)
            else:
                self._stream.send(json_to_v1(message))
        except MessageError as error:
            self.refuse(message, str(error))

    def refuse(self, beginning: str | bytes, reason: str) -> bool:
        """Tells the client that a message, which begins so, is not passed on; False if it cannot
        be told of which one that is. The client stays connected."""
        self._manager.log.warning("kernel %s: a message is refused: %s", self._kernel_id, reason)
        v1 = self._socket.selected_subprotocol == V1_PROTOCOL
        answers = refusals(beginning, v1=v1, sender=self._sender, reason=reason)
        for answer in answers:
            self._socket.push(answer if v1 else v1_to_json(answer))
        return bool(answers)

    async def _resolve(self) -> str:
        manager = self._manager
        try:
            place = await manager.place(self._kernel_id)
        except Refusal as refusal:
            raise StreamEnd(NO_SUCH_KERNEL, refusal.message) from refusal
        record = place.record
        dead = record is not None and record.state is KernelState.DEAD and record.owner is None
        # A client whose kernel has run waits for somebody to restart it.
        if place.link is not None or place.launching or (dead and not self._has_run):
            return manager.membership.url
        if place.owner is None:
            raise LookupError("no owner is known")
        return place.owner.url

    async def _is_launching(self) -> bool:
        record = await self._manager.records.get(self._kernel_id)
        return record is not None and record.state is KernelState.LAUNCHING

    async def _from_kernel(self, message: bytes) -> None:
        self._has_run = True
        await self._to_client(message)

    async def _to_client(self, message: bytes) -> None:
        """Waits until the client can receive more, so that a slow client slows the stream down."""
        if self._socket.selected_subprotocol == V1_PROTOCOL:
            await self._socket.write_message(message, binary=True)
            return
        legacy = v1_to_json(message)
        await self._socket.write_message(legacy, binary=isinstance(legacy, bytes))

    async def _take_notice(self, notice: dict[str, Any]) -> None:
        """Tells the client, in kernel messages, how the launch of its kernel goes on."""
        match notice.get("type"):
            case "launch":
                self._has_run = False
                if not self._said_starting:
                    self._said_starting = True
                    await self._say({"execution_state": "starting"})
            case "dead":
                reason = str(notice.get("reason") or "")
                await self._say({"execution_state": "dead", "reason": reason})
            case "interrupted":
                await abort_waiting(self._stream, self._sender, self._to_client, self._manager.log)

    async def _say(self, content: dict[str, Any]) -> None:
        await self._to_client(status_message(self._sender, content))
