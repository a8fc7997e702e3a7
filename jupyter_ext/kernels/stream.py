"""The client end of `fleet.v1`: one kernel's messages, over any number of connections.

A `KernelStream` outlives its connections. When the kernel's owner changes, it looks up the new one,
says what it has received, and both ends resend the rest. Its user (a lab on behalf of a page, or a
gateway on behalf of a client that called the wrong gateway) gets each message once and in order, or
is told that the stream has ended. The protocol is described in docs/protocols.md.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketError

from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.kernels.outbox import Outbox
from jupyter_ext.kernels.owner_socket import ConnectionEnd, StreamEnd, dial, look_at, renew, wire_of
from jupyter_ext.kernels.signs_of_life import SignsOfLife
from jupyter_ext.wire.close_codes import FINAL, INTERNAL_ERROR, TOO_MANY, TOO_MUCH, TRY_AGAIN
from jupyter_ext.wire.frames import pack_client_frame, unpack_client_frame
from jupyter_ext.wire.routes import channels_url

# Acknowledgments of a burst are collected for this many seconds; a single one is sent at once.
_ACKNOWLEDGE_PAUSE = 0.005
_FIRST_BACKOFF = 0.05
_LONGEST_BACKOFF = 1.0


class KernelStream:
    """Messages to and from one kernel for one client.

    `resolve` returns the base URL of the gateway that owns the kernel now; it is awaited before
    every connection. It raises StreamEnd if there is nothing to wait for; anything else that it
    raises means "try again soon".

    `on_message` gets each message (v1 layout) in order; when it returns, the message counts as
    handed over and is acknowledged. `on_closed(code, reason)` is called once, when the stream has
    ended by itself: because the kernel is gone, the caller is not (or no longer) allowed, no owner
    was found for `give_up_seconds`, more than `max_pending_bytes` wait for the kernel, or the
    streams that share `held` hold too much together and this one the most. It is not called after
    `close()`.

    `on_notice` gets each text frame of the gateway (a JSON object) except gaps, in order with the
    messages: how the launch of the kernel goes on. With it the stream also opens while the kernel
    is being launched, and the time that a launch takes does not count towards `give_up_seconds`.
    `still_launching` is asked before the stream gives up, for gateways that send no such frames;
    True lets it go on for another `give_up_seconds`.
    """

    def __init__(
        self,
        *,
        resolve: Callable[[], Awaitable[str]],
        headers: Mapping[str, str],
        kernel_id: str,
        session_id: str,
        on_message: Callable[[bytes], Awaitable[None]],
        on_closed: Callable[[int, str], None],
        on_notice: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
        still_launching: Callable[[], Awaitable[bool]] | None = None,
        max_pending_bytes: int = 64 * 1024 * 1024,
        held: HeldMessages | None = None,
        max_message_bytes: int = 1024 * 1024 * 1024,
        give_up_seconds: float = 60.0,
        connect_timeout: float = 3.0,
        ping_seconds: float = 2.5,
        log: logging.Logger | None = None,
    ) -> None:
        self._resolve = resolve
        self._headers = dict(headers)
        self._kernel_id = kernel_id
        self._session_id = session_id
        self._on_message = on_message
        self._on_closed = on_closed
        self._on_notice = on_notice
        self._still_launching = still_launching
        self._max_message_bytes = max_message_bytes
        self._give_up_seconds = give_up_seconds
        self._connect_timeout = connect_timeout
        self._ping_seconds = ping_seconds
        self._log = log or logging.getLogger(__name__)

        self._nonce = uuid.uuid4().hex
        self._received: int | None = None
        self._held = held or HeldMessages(max_pending_bytes)
        self._outbox = Outbox(min(max_pending_bytes, self._held.most_bytes))
        self._connection: WebSocketClientConnection | None = None
        self._answered = False
        self._launching = False
        self._served_at = 0.0
        self._acknowledged_at = 0.0
        self._acknowledge_timer: asyncio.TimerHandle | None = None
        self._lost_at = 0.0
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the owner has answered on the present connection."""
        return self._answered

    def start(self) -> None:
        """Start connecting. Must be called on the event loop."""
        if self._task is None and not self._ended:
            self._task = asyncio.ensure_future(self._run())

    def send(self, message: bytes) -> None:
        """Queue a message (v1 layout) for the kernel; it is sent at once if the owner is connected.

        A message that would exceed `max_pending_bytes` ends the stream: dropping it silently would
        leave a cell waiting forever.
        """
        if self._ended:
            return
        number = self._outbox.add(message)
        if number is None:
            self._end(TOO_MUCH, "too much is waiting for the kernel; try again when it answers")
            return
        self._held.holds(self, self._outbox.bytes)
        if self._answered and not self._ended:
            self._write(number, message)

    def renew(self, headers: Mapping[str, str]) -> None:
        """Go on with the newer token in these headers, without a new connection."""
        self._headers = dict(headers)
        if self._connection is not None:
            renew(self._connection, self._headers)

    def give_up(self) -> None:
        """End the stream because all streams together hold too much, and this one the most."""
        self._end(
            TOO_MUCH,
            "this server holds too many messages for kernels that do not take them, most of them "
            "for this one; try again when it answers",
        )

    def drop_unacknowledged(self) -> list[bytes]:
        """Forget the messages that the kernel's agent has not acknowledged; returns them, oldest
        first. While the kernel is being launched none of them has reached it."""
        dropped = self._outbox.drop()
        self._held.holds(self, 0)
        return dropped

    async def close(self) -> None:
        """End the stream without calling `on_closed`; unsent messages are dropped."""
        self._ended = True
        self.drop_unacknowledged()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _end(self, code: int, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        self.drop_unacknowledged()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._on_closed(code, reason)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._lost_at = loop.time()
        backoff = 0.0
        why = said = ""
        while not self._ended:
            if backoff:
                await asyncio.sleep(backoff)
            backoff = min(max(2 * backoff, _FIRST_BACKOFF), _LONGEST_BACKOFF)
            left = self._lost_at + self._give_up_seconds - loop.time()
            if left <= 0:
                if await self._waits_for_launch():
                    self._lost_at = loop.time()
                    continue
                self._end(TRY_AGAIN, said or f"the kernel could not be reached: {why}")
                return
            try:
                async with asyncio.timeout(left):
                    owner = await self._resolve()
                if self._ended:
                    # Something below has swallowed the cancellation, as `wait_for` may.
                    return
                await self._connect(owner)
            except StreamEnd as end:
                self._end(end.code, end.reason)
                return
            except ConnectionEnd as end:
                why, said = str(end), end.said
                if end.at_once:
                    backoff = 0.0
            except Exception as error:
                why, said = str(error) or type(error).__name__, ""
            self._log.debug("kernel %s: %s", self._kernel_id, why)

    async def _waits_for_launch(self) -> bool:
        if self._still_launching is None:
            return False
        try:
            return await self._still_launching()
        except Exception as error:
            self._log.debug("kernel %s: %s", self._kernel_id, error)
            return False

    async def _connect(self, owner: str) -> None:
        """Talk to one gateway until that ends; always raises."""
        url = channels_url(
            owner,
            self._kernel_id,
            self._session_id,
            self._nonce,
            self._received,
            launching=self._on_notice is not None,
        )
        headers = self._headers
        connection = await dial(
            owner,
            url,
            headers,
            connect_timeout=self._connect_timeout,
            max_message_bytes=self._max_message_bytes,
        )
        # Only now: `connection` is set while a peer is known, so that `close` reaches it.
        self._connection = connection
        if headers is not self._headers:
            renew(connection, self._headers)
        tasks: list[asyncio.Task[None]] = []
        try:
            wire = wire_of(owner, connection, self._max_message_bytes)
            life = SignsOfLife(connection, wire, owner, self._ping_seconds)
            tasks = [
                asyncio.ensure_future(self._read(connection, life, owner)),
                asyncio.ensure_future(self._watch(life, owner)),
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            if self._answered or self._launching:
                self._lost_at = asyncio.get_running_loop().time()
            self._answered = self._launching = False
            self._connection = None
            if self._acknowledge_timer is not None:
                self._acknowledge_timer.cancel()
                self._acknowledge_timer = None
            for task in tasks:
                task.cancel()
            # A message that is just being handed to the page must have been handed or not, before
            # the next connection says how far we are.
            await asyncio.gather(*tasks, return_exceptions=True)
            connection.close()

    async def _watch(self, life: SignsOfLife, owner: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await life.ping()
            served = self._answered or self._launching
            if not served and loop.time() - self._lost_at > self._give_up_seconds:
                raise ConnectionEnd(f"{owner} has no connection to the kernel")

    async def _read(
        self, connection: WebSocketClientConnection, life: SignsOfLife, owner: str
    ) -> None:
        while True:
            frame = await life.read()
            if frame is None:
                raise self._closed(connection, owner)
            if isinstance(frame, str):
                await self._take_notice(frame)
                continue
            sequence, acknowledged, message = unpack_client_frame(frame)
            if not self._answered:
                if message:
                    raise ConnectionEnd(f"{owner} sent a message before its first frame")
                self._begin(sequence, acknowledged)
                continue
            self._forget(acknowledged)
            if not message or (self._received is not None and sequence <= self._received):
                continue
            await self._hand_over(self._on_message(message))
            self._received = sequence
            self._acknowledge_soon()

    async def _hand_over(self, handed: Awaitable[None]) -> None:
        try:
            await handed
        except Exception as error:
            raise StreamEnd(INTERNAL_ERROR, f"a message could not be passed on: {error}") from error

    def _closed(self, connection: WebSocketClientConnection, owner: str) -> Exception:
        code = connection.close_code
        reason = connection.close_reason or ""
        if code is not None and code in FINAL.values():
            return StreamEnd(code, reason or "the gateway ended the connection")
        if code == TOO_MANY and not self._served_at:
            # One that was served before may be refused only until its last connection is missed.
            return StreamEnd(TRY_AGAIN, reason)
        # After a good connection, reconnect at once, so that a change of owner takes little time;
        # slow down if a gateway closes right after its first frame.
        age = asyncio.get_running_loop().time() - self._served_at
        at_once = (
            (self._answered or self._launching) and age > _LONGEST_BACKOFF and code != TRY_AGAIN
        )
        return ConnectionEnd(f"{owner} closed ({code} {reason})", at_once=at_once, said=reason)

    def _begin(self, start: int, acknowledged: int) -> None:
        self._answered = True
        self._served_at = asyncio.get_running_loop().time()
        # Lower than ours only if that number is from another journal: the kernel got a new agent.
        self._received = start
        self._forget(acknowledged)
        for sequence, message in self._outbox:
            self._write(sequence, message)

    def _forget(self, acknowledged: int) -> None:
        self._outbox.forget(acknowledged)
        self._held.holds(self, self._outbox.bytes)

    async def _take_notice(self, text: str) -> None:
        notice = json.loads(text)
        if notice.get("type") == "gap":
            self._log.warning(
                "kernel %s: messages %s to %s are no longer in the kernel's journal",
                self._kernel_id,
                notice.get("from"),
                notice.get("to"),
            )
            return
        if self._on_notice is None:
            return
        if notice.get("type") == "launch" and not self._answered and not self._launching:
            self._launching = True
            self._served_at = asyncio.get_running_loop().time()
        await self._hand_over(self._on_notice(notice))

    def _write(self, sequence: int, message: bytes = b"") -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            written = connection.write_message(
                pack_client_frame(sequence, self._received or 0, message), binary=True
            )
        except (StreamClosedError, WebSocketError):
            # The reader notices it too and reconnects; pending messages are sent then.
            return
        written.add_done_callback(look_at)

    def _acknowledge_soon(self) -> None:
        if self._acknowledge_timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._acknowledged_at + _ACKNOWLEDGE_PAUSE - loop.time()
        if wait <= 0:
            self._acknowledge()
        else:
            self._acknowledge_timer = loop.call_later(wait, self._acknowledge)

    def _acknowledge(self) -> None:
        self._acknowledge_timer = None
        self._acknowledged_at = asyncio.get_running_loop().time()
        self._write(self._outbox.last)
