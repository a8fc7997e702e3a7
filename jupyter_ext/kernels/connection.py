"""Connects a page's websocket with the stream of its kernel."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable
from typing import Any, ClassVar, cast

from jupyter_server.services.kernels.connection.base import BaseKernelWebsocketConnection
from tornado import web
from tornado.websocket import WebSocketClosedError
from traitlets import Float, Integer

from jupyter_ext.audit.notes import note
from jupyter_ext.auth.user import FleetUser
from jupyter_ext.kernels.aborted_launch import abort_waiting
from jupyter_ext.kernels.gateway_client import FleetGatewayClient
from jupyter_ext.kernels.json_messages import json_to_v1, v1_to_json
from jupyter_ext.kernels.manager import FleetKernelManager, require_own, require_role
from jupyter_ext.kernels.owner_socket import StreamEnd
from jupyter_ext.kernels.page_cursor import CursorError, PageCursor, page_cursor
from jupyter_ext.kernels.page_relay import PageRelay
from jupyter_ext.kernels.refused_messages import refusals, too_long
from jupyter_ext.kernels.stream import KernelStream
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.socket_login import SocketEnd, SocketLogin
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.wire.close_codes import FINAL, OF_STATUS, OWNER_CHANGES, TOO_MUCH
from jupyter_ext.wire.close_reason import close_reason
from jupyter_ext.wire.frames import SUBPROTOCOL
from jupyter_ext.wire.launch_messages import status_message
from jupyter_ext.wire.messages import V1_PROTOCOL, MessageError, channel_of

_PATIENCE_BEFORE_OPENING = 2.0
_MOST_BEFORE_WORDS = 5.0
"""A page that connects again by itself is told after so many seconds what it waits for."""
_AROUND_A_MESSAGE = 64 * 1024


class FleetWebsocketConnection(BaseKernelWebsocketConnection):
    """Relays whole messages between a page and a kernel, wherever the kernel's owner is.

    While the kernel is being launched or its owner changes, the page's websocket stays open and its
    messages are kept. If waiting becomes useless, the websocket is closed, so that the page
    reconnects or asks for the state of its kernel.
    """

    give_up_seconds = Float(
        60.0,
        config=True,
        help="Seconds for which a page's websocket is kept open while its kernel has no owner. The "
        "time that a launch takes does not count.",
    )
    max_pending_bytes = Integer(
        64 * 1024 * 1024,
        config=True,
        help="Bytes that a page may send while its kernel has no owner or is being launched.",
    )
    open_connections: ClassVar[set[FleetWebsocketConnection]] = set()

    _stream: KernelStream | None = None
    _relay: PageRelay | None = None
    _cursor: PageCursor | None = None
    _refusal: StreamEnd | None = None
    _login: SocketLogin | None = None
    _needs: tuple[str, Role] | None = None
    _handler: Any = None
    _legacy = False
    _launch_session = ""

    async def prepare(self) -> None:
        """Refuse the websocket if the kernel does not exist or the user may not use it.

        If no gateway answers at the moment, the websocket opens and waits. A browser does not show
        a page the status of a refused handshake, so a page with a cursor gets a close code.
        """
        request = self.websocket_handler.request
        try:
            self._cursor = page_cursor(
                request.headers.get("Sec-WebSocket-Protocol", ""), request.query_arguments
            )
        except CursorError as error:
            raise web.HTTPError(400, str(error)) from error
        if self._cursor is not None:
            self.kernel_ws_protocol = SUBPROTOCOL
        try:
            model = await self._gateways.call(
                "GET", f"/api/kernels/{self.kernel_id}", patience=_PATIENCE_BEFORE_OPENING
            )
            note(self.websocket_handler, project=model["project"])
            # Whoever may send to a kernel may run code.
            self._needs = (model["project"], Role.EDITOR)
            require_role(self._identity, *self._needs)
            require_own(self._identity, model)
        except web.HTTPError as error:
            if error.status_code in FINAL:
                if self._cursor is None:
                    raise
                self._refusal = _final(error)
                if error.status_code != 404:
                    note(self.websocket_handler, refused=self._refusal.reason)
        if cast(Any, self.websocket_handler).connection is not self:
            # The stock handler drops it when the page leaves, and would go on without it.
            raise web.HTTPError(400, "the page left before its websocket was open")

    async def connect(self) -> None:
        """Start relaying. Returns at once: the owner may not be known yet."""
        # The handler drops its reference to this connection before the last messages were relayed.
        self._handler = self.websocket_handler
        self._handler.set_nodelay(True)
        if self._refusal is not None:
            self._close_page(self._refusal.code, self._refusal.reason)
            return
        identity = self._identity
        if self._cursor is not None:
            self._relay = self._page_relay(self._cursor)
            self._relay.start()
        else:
            self._legacy = self._handler.selected_subprotocol != V1_PROTOCOL
            self._stream = self._kernel_stream()
            self._stream.start()
        self._login = self._handler.identity_provider.watch(
            self._handler,
            identity,
            self._end_login,
            needs=self._needs,
            on_renewed=self._renew,
        )
        self.open_connections.add(self)

    def _page_relay(self, cursor: PageCursor) -> PageRelay:
        async def to_page(frame: str | bytes) -> None:
            await self._handler.write_message(frame, binary=isinstance(frame, bytes))

        return PageRelay(
            resolve=self._find_owner,
            address=lambda owner: cursor.address(owner, self.kernel_id, self.session_id),
            headers=self._headers,
            to_page=to_page,
            on_closed=self._close_page,
            held=self._kernels.held_messages,
            give_up_seconds=min(self.give_up_seconds, _MOST_BEFORE_WORDS),
            log=self.log,
        )

    def _kernel_stream(self) -> KernelStream:
        self._launch_session = uuid.uuid4().hex
        return KernelStream(
            resolve=self._find_owner,
            headers=self._headers,
            kernel_id=self.kernel_id,
            session_id=self.session_id,
            on_message=self._to_page,
            on_closed=self._close_page,
            on_notice=self._take_notice,
            still_launching=self._is_launching,
            max_pending_bytes=self.max_pending_bytes,
            held=self._kernels.held_messages,
            give_up_seconds=self.give_up_seconds,
            log=self.log,
        )

    async def _find_owner(self) -> str:
        try:
            return await self._gateways.find_owner(self.kernel_id, self._headers)
        except web.HTTPError as error:
            if error.status_code in FINAL:
                raise _final(error) from error
            raise

    def disconnect(self) -> None:  # type: ignore[override]
        """End the relay; called when the page's websocket has closed."""
        self.open_connections.discard(self)
        if self._login is not None:
            self._login.stop()
        for end in (self._stream, self._relay):
            if end is not None:
                self._closing = asyncio.ensure_future(end.close())

    def handle_incoming_message(  # type: ignore[override]
        self, incoming_msg: str | bytes
    ) -> Awaitable[None] | None:
        """Send a page's message to the kernel. The next one may be read when the result is done."""
        if self._relay is not None:
            return self._relay.send(incoming_msg)
        if self._stream is None:
            return None
        try:
            if self._legacy or isinstance(incoming_msg, str):
                message = json_to_v1(incoming_msg)
            else:
                message = incoming_msg
                channel_of(message)
        except MessageError as error:
            return self._answer(self._refusals(incoming_msg, str(error)))
        self._stream.send(message)
        return None

    async def refuse_long(self, head: bytes, size: int) -> None:
        """A frame of `size` bytes came, which begins with `head`, and was dropped. A page that
        numbers its frames is disconnected: one of them is missing."""
        reason = too_long(size, self.max_message_bytes)
        answers = [] if self._relay is not None else self._refusals(head, reason)
        if answers:
            await self._answer(answers)
        else:
            self._close_page(TOO_MUCH, reason)

    def _refusals(self, beginning: str | bytes, reason: str) -> list[bytes]:
        """What the page is told of a message that begins so and is not passed on."""
        self.log.warning("Kernel %s: a page's message is refused: %s", self.kernel_id, reason)
        sender = self._launch_session
        return refusals(beginning, v1=not self._legacy, sender=sender, reason=reason)

    async def _answer(self, answers: list[bytes]) -> None:
        with contextlib.suppress(WebSocketClosedError):
            for answer in answers:
                await self._to_page(answer)

    async def _to_page(self, message: bytes) -> None:
        if self._legacy:
            shown = v1_to_json(message)
            await self._handler.write_message(shown, binary=isinstance(shown, bytes))
        else:
            await self._handler.write_message(message, binary=True)

    async def _take_notice(self, notice: dict[str, Any]) -> None:
        """Tell the page, in kernel messages, how the launch of its kernel goes on."""
        match notice.get("type"):
            case "launch":
                content = {"execution_state": "starting", "launch": notice.get("launch")}
            case "dead":
                content = {"execution_state": "dead", "reason": str(notice.get("reason") or "")}
            case "interrupted":
                if self._stream is not None:
                    await abort_waiting(self._stream, self._launch_session, self._to_page, self.log)
                return
            case _:
                return
        await self._to_page(status_message(self._launch_session, content))

    async def _is_launching(self) -> bool:
        path = f"/api/kernels/{self.kernel_id}"
        model = await self._gateways.call("GET", path, headers=self._headers)
        return bool(model["state"] == "launching")

    def _renew(self, identity: Identity) -> None:
        """The login goes on with a newer token."""
        for end in (self._stream, self._relay):
            if end is not None:
                end.renew(self._headers)

    def _end_login(self, end: SocketEnd) -> None:
        self._close_page(OF_STATUS[end.status], end.reason)

    def _close_page(self, code: int, reason: str) -> None:
        self.log.info("Kernel %s: closing a page's websocket: %s", self.kernel_id, reason)
        try:
            self._handler.close(code, close_reason(reason))
        except WebSocketClosedError:
            self.disconnect()

    @property
    def max_message_bytes(self) -> int:
        """The longest frame that a page may send: all that may wait for its kernel in one."""
        return self.max_pending_bytes + _AROUND_A_MESSAGE

    @property
    def _identity(self) -> Identity:
        if self._login is not None:
            return self._login.identity
        return cast(FleetUser, self.websocket_handler.current_user).identity

    @property
    def _headers(self) -> dict[str, str]:
        """Those of a call on behalf of the page's user, with the token that is the newest now."""
        return self._gateways.headers_for(self._identity.token)

    @property
    def _gateways(self) -> FleetGatewayClient:
        return self._kernels.gateways

    @property
    def _kernels(self) -> FleetKernelManager:
        return cast(FleetKernelManager, self.multi_kernel_manager)

    @classmethod
    async def close_all(cls) -> None:
        """Disconnect all pages, so that they use another lab; called when this lab stops."""
        for connection in list(cls.open_connections):
            connection._close_page(OWNER_CHANGES, "this server is stopping; another one takes over")
        # Wait until the close frames are sent and the streams have ended.
        for _ in range(20):
            if not cls.open_connections:
                return
            await asyncio.sleep(0.05)


def _final(error: web.HTTPError) -> StreamEnd:
    """What an HTTP error of FINAL means for a websocket."""
    return StreamEnd(FINAL[error.status_code], error.get_message() or "")
