"""The websocket endpoint of agents: challenge, hello, claim, welcome, and then a link."""

import asyncio
import json
import secrets
import time
from typing import Any

from tornado import websocket

from gateway_ext.kernels.agents.agent_door import AgentDoor, Visit
from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.agents.lookup_lane import LaneFull
from gateway_ext.kernels.agents.text_frames import parse_text_frame
from gateway_ext.kernels.handlers.fleet_socket import FleetSocket
from gateway_ext.kernels.kernel_id import check_kernel_id
from gateway_ext.ownership.states import KernelState
from jupyter_ext.audit.audit import record
from jupyter_ext.audit.audit_event import Kind, Outcome
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.platform.encryption import DecryptionError
from jupyter_ext.wire.close_codes import INTERNAL_ERROR, PROTOCOL_ERROR
from jupyter_ext.wire.headers import DIAL_HEADER
from jupyter_ext.wire.proof import (
    PROTOCOL,
    agent_proof,
    deleted_proof,
    proves,
    welcome_proof,
)
from jupyter_ext.wire.socket_progress import bytes_received

HELLO_SECONDS = 10.0
"""From the upgrade until the complete hello, whatever else arrives meanwhile."""
HELLO_BYTES = 256 * 1024
"""The memory limit for a peer that has not proved its identity."""

_DENIALS = ("protocol", "key")
"""Reasons of refusals that say something about the agent; others are the gateway's own."""
_TURN_BYTES = 2**19
"""After this many bytes from one agent (a few milliseconds) the rest of the gateway gets a turn."""
_FRAME_COST = 4096
"""A short frame takes as long as this many bytes of a long one."""


def _look_at(written: "asyncio.Future[None]") -> None:
    # A frame was being sent when the connection ended; on_close informs everybody.
    if not written.cancelled():
        written.exception()


class AgentHandler(FleetSocket):
    """One connection of one agent. Instead of a token, the agent proves that it knows its own key,
    in the first request unless it is an older agent."""

    def initialize(self) -> None:
        self.manager: Any = self.settings["kernel_manager"]
        self.log = self.manager.log
        self._nonce = secrets.token_hex(16)
        self._kernel_id = ""
        self._link: AgentLink | None = None
        self._heard = time.monotonic()
        self._watch: asyncio.Task[None] | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._visit: Visit | None = None
        self._wanted = True
        self._turn = 0

    @property
    def max_message_size(self) -> int:
        return HELLO_BYTES

    def check_origin(self, origin: str) -> bool:
        # Agents are no browsers, and browsers send an origin.
        return False

    @property
    def _door(self) -> AgentDoor:
        door: AgentDoor = self.manager.agent_door
        return door

    async def get(self, kernel_id: str) -> None:
        headers = self.request.headers
        if headers.get("Upgrade", "").lower() != "websocket":
            # Refused by what follows, before it costs anything.
            await self.upgrade(kernel_id)
            return
        self._visit = await self._door.enter(check_kernel_id(kernel_id), headers.get(DIAL_HEADER))
        try:
            # Returns when the socket is closed.
            await self.upgrade(kernel_id)
        finally:
            self._visit.leave()

    async def open(self, kernel_id: str) -> None:
        self._kernel_id = kernel_id
        self.set_nodelay(True)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(HELLO_SECONDS, self._hello_is_late)
        self._watch = asyncio.ensure_future(self._watch_peer())
        self._send_json({"type": "challenge", "nonce": self._nonce})

    async def on_message(self, message: str | bytes) -> None:
        self._heard = time.monotonic()
        if self._link is None:
            if self._greeting is None:
                self._stop_deadline()
                # In a task of its own: while it waits for the database, or for its turn, pings are
                # answered, and it is noticed when the agent leaves.
                self._greeting = asyncio.ensure_future(self._greet(message))
            else:
                self._refuse("protocol", "nothing may follow the hello before its answer")
            return
        self._turn += len(message) + _FRAME_COST
        if self._turn > _TURN_BYTES:
            # Tornado reads on, without a turn for anybody else, for as long as an agent sends.
            self._turn = 0
            await asyncio.sleep(0)
        try:
            self._link.receive(message)
        except (ValueError, KeyError, TypeError) as error:
            self.log.error("kernel %s: invalid data from the agent: %s", self._kernel_id, error)
            self.close(PROTOCOL_ERROR, "unreadable frame")

    def on_pong(self, data: bytes) -> None:
        self._heard = time.monotonic()

    def on_ping(self, data: bytes) -> None:
        self._heard = time.monotonic()

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hello_is_late(self) -> None:
        # No closing handshake, which would give it more time.
        stream: Any = self.ws_connection.stream if self.ws_connection is not None else None
        if stream is not None:
            stream.close()

    def on_close(self) -> None:
        self._wanted = False
        self._stop_deadline()
        if self._visit is not None:
            self._visit.leave()
        if self._watch is not None:
            self._watch.cancel()
        if self._link is not None:
            self.log.info("kernel %s: its agent has disconnected", self._kernel_id)
            self.manager.link_lost(self._link, time.monotonic() - self._heard)

    async def _watch_peer(self) -> None:
        """Ends a connection whose other end is silent."""
        interval = self.manager.ping_seconds
        stream: Any = self.ws_connection.stream  # type: ignore[union-attr]
        arrived = 0
        while True:
            await asyncio.sleep(interval)
            if stream.closed():
                # on_close follows.
                return
            before, arrived = arrived, bytes_received(stream.socket)
            if arrived > before:
                self._heard = time.monotonic()
            silent = time.monotonic() - self._heard
            limit = self.manager.ping_timeout if self._link is not None else HELLO_SECONDS
            if silent > limit:
                self.log.warning("kernel %s: its agent is silent", self._kernel_id)
                # No closing handshake: the other end does not respond.
                stream.close()
                return
            try:
                self.ping()
            except websocket.WebSocketClosedError:
                return

    def _send(self, frame: str | bytes) -> "asyncio.Future[None]":
        """Done when the frame is on its way; it never will be if the connection has ended."""
        try:
            written = self.write_message(frame, binary=isinstance(frame, bytes))
        except websocket.WebSocketClosedError as error:
            # on_close follows and informs everybody.
            written = asyncio.get_running_loop().create_future()
            written.set_exception(error)
        written.add_done_callback(_look_at)
        return written

    def _send_json(self, document: dict[str, Any]) -> None:
        self._send(json.dumps(document))

    def _refuse(self, reason: str, message: str) -> None:
        self.log.info("kernel %s: agent refused: %s", self._kernel_id, message)
        if reason in _DENIALS:
            record(self, "agent.hello", Outcome.DENIED, message, Kind.FLEET, kernel=self._kernel_id)
        others = self.manager.membership.urls_for_agents(self._kernel_id)
        self._send_json(
            {"type": "refused", "reason": reason, "message": message, "gateways": others}
        )
        self.close(1000, reason)

    async def _greet(self, message: str | bytes) -> None:
        try:
            await self._hello(message)
        except Exception:
            self.log.exception("kernel %s: its agent's hello failed", self._kernel_id)
            self.close(INTERNAL_ERROR, "the hello failed")

    async def _hello(self, message: str | bytes) -> None:
        try:
            hello = parse_text_frame(message)
            if hello["type"] != "hello" or hello["kernel_id"] != self._kernel_id:
                raise ValueError("not a hello of this kernel")
            protocol, epoch = int(hello["protocol"]), int(hello["epoch"])
            nonce, proof, state = str(hello["nonce"]), str(hello["proof"]), dict(hello["state"])
            # Agents of before do not say it.
            process = dict(hello.get("process") or {})
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            self._refuse("protocol", f"the hello cannot be read: {error}")
            return
        if protocol != PROTOCOL:
            self._refuse("protocol", f"this gateway speaks version {PROTOCOL}, not {protocol}")
            return
        try:
            await self._claim(epoch, nonce, proof, state, process)
        except DatabaseUnavailable as error:
            self._wanted = False
            self._refuse("database", str(error))
        except DecryptionError as error:
            self._refuse("key", str(error))
        except LaneFull:
            self._refuse("busy", "this gateway has too many requests for kernels at the moment")

    async def _claim(
        self,
        epoch: int,
        nonce: str,
        proof: str,
        state: dict[str, Any],
        process: dict[str, Any],
    ) -> None:
        records = self.manager.records
        door, visit = self._door, self._visit
        if visit is None:
            raise RuntimeError("opened without having been admitted")
        stored = visit.agent or await door.agent(self._kernel_id, exists=visit.exists)
        if stored is None:
            # Of a pool, whose kernel was launched again with another agent; or of nothing.
            await self._send_away(epoch, nonce, proof, visit)
            return
        kernel_id = stored.kernel_id
        if not self._proves(proof, stored.agent_key, epoch):
            await self._send_away(epoch, nonce, proof, visit)
            return
        visit.leave()
        if not self.manager.takes(kernel_id):
            self._refuse("draining", "this gateway is draining")
            return
        wait = self.manager.claim_pace.wait(time.monotonic())
        if wait is None:
            self._refuse("busy", "this gateway is taking over too many kernels at the moment")
            return
        await asyncio.sleep(wait)
        if not self._wanted:
            return
        record = await door.in_time(
            records.claim(kernel_id, stored.agent_key, epoch, lambda: self._wanted)
        )
        if record is None and not self._wanted:
            return
        if record is None:
            present = await door.in_time(records.get(kernel_id))
            if present is not None and present.state is KernelState.DELETED:
                self._tell_to_end(stored.agent_key, nonce)
            else:
                await self._send_away(epoch, nonce, proof, visit)
            return
        if self.ws_connection is None or not self.manager.takes(kernel_id):
            # Gone, or we are going, while the database answered. Whoever claims next raises the
            # epoch above ours; whoever has claimed already sees it (`leave_overtaken`).
            self._refuse("draining", "this gateway is draining")
            return
        self.ws_connection.params.max_message_size = (  # type: ignore[attr-defined]
            self.manager.max_message_bytes
        )
        self._send_json(
            {
                "type": "welcome",
                "epoch": record.epoch,
                "gateways": self.manager.membership.urls_for_agents(self._kernel_id),
                "calls": self.manager.calls.for_agents(),
                "keeps_journals": self.manager.kept_journals.keeps,
                "proof": welcome_proof(stored.agent_key, self._kernel_id, nonce, record.epoch),
            }
        )
        self.log.info("kernel %s: claimed with epoch %d", self._kernel_id, record.epoch)
        self._link = AgentLink(
            record,
            state,
            self._send,
            self.close,
            self.manager.links.changed,
            self.manager.calls.receive,
            self.manager.kept_journals.receive,
            self.log,
        )
        self.manager.links.add(self._link)
        if not record.process and process:
            self.manager.learn_process(record, stored.agent_key, process)

    def _proves(self, proof: str, key: bytes, epoch: int) -> bool:
        return proves(proof, agent_proof(key, self._kernel_id, self._nonce, epoch))

    async def _send_away(self, epoch: int, nonce: str, proof: str, visit: Visit) -> None:
        """Answers a peer that is not, or no longer, the kernel's agent."""
        for key in await self._door.former_keys(self._kernel_id, exists=visit.exists):
            if self._proves(proof, key, epoch):
                self._tell_to_end(key, nonce)
                return
        self._refuse("key", "the proof is wrong: this is not the kernel's agent")

    def _tell_to_end(self, key: bytes, nonce: str) -> None:
        self.log.info("kernel %s: an agent is told to end", self._kernel_id)
        proof = deleted_proof(key, self._kernel_id, nonce)
        self._send_json({"type": "deleted", "proof": proof})
        self.close(1000, "deleted")
