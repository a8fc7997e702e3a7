"""One agent that is connected to this gateway."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from gateway_ext.kernels.agents.client_streams import ClientEnd, Opened, Opening, Stream
from gateway_ext.kernels.agents.text_frames import parse_text_frame
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.stored_text import stored_text
from jupyter_ext.wire.close_codes import NO_SUCH_KERNEL, OWNER_CHANGES, TRY_AGAIN
from jupyter_ext.wire.frames import (
    EVERY_STREAM,
    JOURNAL_PART,
    for_client,
    to_stream,
    unpack_agent_frame,
)

LONGEST_STATE = 16
"""Characters of an execution state, as the table has room for."""

MOST_ENDS = 20
"""Ends of a kernel's process that are remembered until they are written."""

CLAIM = "claim"
"""The command by which an agent learns whose kernel it is."""

LONGEST_CALL = 512 * 1024
"""Bytes of a call of the kernel: several times what agents accept, because they may write the same
JSON with more bytes."""

_OWN_NETWORKS = ("none", "internet")

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class LinkLost(Exception):
    """The agent's connection ended before it answered: another gateway may own it now."""


class CommandFailed(Exception):
    """The agent could not execute the command; the text is the agent's."""


class AgentLink:
    """One agent that this gateway controls: its commands, streams and reports."""

    def __init__(
        self,
        record: KernelRecord,
        state: dict[str, Any],
        send: Callable[[str | bytes], Awaitable[None]],
        close: Callable[[], None],
        on_change: Callable[["AgentLink"], None],
        on_call: Callable[["AgentLink", dict[str, Any], int], None],
        on_part: Callable[["AgentLink", int, bytes], None],
        log: logging.Logger,
    ) -> None:
        """`send` returns what is done when the frame has been sent or the connection has ended;
        `on_call` gets a call of the kernel and the bytes of its frame, `on_part` a part of the
        journal and its last number."""
        self.record = record
        self.state = state
        self.last_activity = last_activity_of(state, record.last_activity)
        self._ended: tuple[str, ...] = ()
        self._send = send
        self._close = close
        self._on_change = on_change
        self._on_call = on_call
        self._on_part = on_part
        self._log = log
        self._next_id = 1
        self._commands: dict[int, Callable[[dict[str, Any] | None], None]] = {}
        self._streams: dict[int, Stream] = {}
        self.lost = False
        self.being_claimed = False
        """Whether its record, which is in a pool, becomes a user's at this moment."""
        self.claim_problem = ""
        """Why the agent could not be told until now whose its kernel is."""
        self.wants_ticket = False
        """Whether the agent has asked for another ticket."""
        self._deleted = ""
        """Why its clients need not look for another owner, if so."""
        # Of the connection: below the record's from a claim until the agent knows of it.
        self._agent_epoch = record.epoch
        # What waits until then.
        self._held: list[Callable[[], None]] = []

    @property
    def kernel_id(self) -> str:
        return self.record.kernel_id

    @property
    def epoch(self) -> int:
        return self.record.epoch

    @property
    def pooled(self) -> bool:
        """Whether the kernel is in a pool and nobody's."""
        return self.record.pool is not None

    @property
    def waits(self) -> bool:
        """Whether the agent says that its kernel is nobody's, and has not started it."""
        return bool(self.state.get("pooled"))

    @property
    def must_learn_claim(self) -> bool:
        """Whether the kernel is somebody's, and its agent does not know that."""
        return not self.pooled and self.waits

    @property
    def process(self) -> str:
        """What the agent last said of its kernel's process."""
        if self.must_learn_claim:
            return "starting"
        return str(self.state.get("process", "starting"))

    @property
    def execution_state(self) -> str:
        if self.process == "dead":
            return "dead"
        if self.must_learn_claim:
            return "starting"
        return stored_text(str(self.state.get("execution_state", "")), LONGEST_STATE)

    @property
    def reason(self) -> str:
        return stored_text(str(self.state.get("reason") or ""))

    @property
    def network(self) -> str | None:
        """What the kernel's process reaches, if it has a network of its own."""
        said = self._said_of_network("reach")
        return said if said in _OWN_NETWORKS else None

    @property
    def network_why(self) -> str:
        """Why that is not more; may be empty."""
        return stored_text(self._said_of_network("why"))

    def _said_of_network(self, name: str) -> str:
        # Absent from what older agents say.
        network = self.state.get("network")
        return str(network.get(name, "")) if isinstance(network, dict) else ""

    @property
    def measures_work(self) -> bool:
        """Whether the agent looks for work that no message tells of; older ones do not."""
        return self.state.get("last_work") is not None

    def take_ended(self) -> tuple[str, ...]:
        """Why the kernel's process has ended by itself and was started again since the last call,
        for each time."""
        ended, self._ended = self._ended, ()
        return ended

    def not_written(self, ended: tuple[str, ...]) -> None:
        """The result of `take_ended` could not be recorded: return it again the next time."""
        self._ended = (*ended, *self._ended)[-MOST_ENDS:]

    @property
    def connections(self) -> int:
        return len(self._streams)

    async def command(self, command: str, *, seconds: float, **arguments: Any) -> dict[str, Any]:
        """The agent's result. Raises CommandFailed, or LinkLost if the connection ends first or
        there is no answer for `seconds`."""
        answer: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()

        def answered(result: dict[str, Any] | None) -> None:
            if not answer.done():
                answer.set_result(result)

        number = self._post(command, arguments, answered)
        try:
            result = await asyncio.wait_for(answer, seconds)
        except TimeoutError:
            raise LinkLost(f"the agent did not answer {command!r} for {seconds:g} s") from None
        finally:
            self._commands.pop(number, None)
        if result is None:
            raise LinkLost(f"the agent's connection ended during {command!r}")
        if not result.get("ok"):
            raise CommandFailed(str(result.get("message") or f"{command!r} failed"))
        return result

    def _post(
        self,
        command: str,
        arguments: dict[str, Any],
        answered: Callable[[dict[str, Any] | None], None],
    ) -> int:
        if self.lost:
            raise LinkLost("the agent's connection has ended")
        number = self._next_id
        self._next_id += 1
        self._commands[number] = answered

        def send() -> None:
            document = {"type": "command", "id": number, "epoch": self._agent_epoch}
            self._send(json.dumps({**document, "command": command, **arguments}))

        if self.must_learn_claim and command != CLAIM:
            self._held.append(send)
        else:
            send()
        return number

    # Claims

    def claimed(self, record: KernelRecord) -> None:
        """The kernel, which was in a pool, has this record from now on. What is asked of it waits
        until `tell_claim` has told the agent."""
        self.record = record
        self.last_activity = record.last_activity
        self._on_change(self)

    async def tell_claim(self, document: Mapping[str, Any], *, seconds: float) -> None:
        """Tells the agent whose kernel it is. Raises CommandFailed and LinkLost."""
        raised = self.epoch
        await self.command(CLAIM, seconds=seconds, raised=raised, document=dict(document))
        self._agent_epoch = raised
        # A report that it sent before may still say that it is in the pool.
        self.state = {**self.state, "pooled": False, "process": "starting"}
        held, self._held = self._held, []
        for send in held:
            send()
        self._on_change(self)

    def claim_failed(self, reason: str) -> None:
        """The agent cannot become the kernel as which it was claimed."""
        self.state = {**self.state, "pooled": False, "process": "dead", "reason": reason}
        self._on_change(self)

    # Streams

    def open_stream(self, client: ClientEnd, opening: Opening) -> int:
        """Begins a stream for `client` and returns its number; `client.opened` follows.

        Raises LinkLost.
        """
        number = self._next_id

        def answered(result: dict[str, Any] | None) -> None:
            # In the callback that reads the result, because the missed messages follow at once.
            if result is None:
                return
            if not result.get("ok"):
                self._streams.pop(number, None)
                client.end(TRY_AGAIN, str(result.get("message") or "the agent refused the stream"))
                return
            stream = self._streams.get(number)
            if stream is None:
                return
            opened = Opened.from_result(result)
            stream.last = opened.start
            client.opened(opened)

        self._streams[number] = Stream(client)
        try:
            self._post("open", {"stream": number, **asdict(opening)}, answered)
        except LinkLost:
            del self._streams[number]
            raise
        self._on_change(self)
        return number

    def interrupt_waiting(self) -> bool:
        """Has the clients drop what they keep until their streams are open. Whether that is all,
        because no stream opens before the agent knows whose its kernel is."""
        for stream in list(self._streams.values()):
            if stream.last is None:
                stream.client.interrupted()
        return self.must_learn_claim

    def close_stream(self, number: int) -> None:
        """The client has gone."""
        if self._streams.pop(number, None) is not None and not self.lost:
            self._post("close", {"stream": number}, lambda result: None)
            self._on_change(self)

    def from_client(self, number: int, frame: bytes) -> None:
        """Passes a frame of fleet.v1 on to the agent."""
        if not self.lost and number in self._streams:
            self._send(to_stream(number, frame))

    # What the agent sends

    def receive(self, frame: str | bytes) -> None:
        """Handles one frame from the agent; raises ValueError if it is invalid."""
        if isinstance(frame, bytes):
            self._receive_message(frame)
            return
        document = parse_text_frame(frame)
        kind = document.get("type")
        if kind == "result":
            answered = self._commands.pop(document["id"], None)
            if answered is not None:
                answered(document)
        elif kind == "state":
            before, self.state = self.state, dict(document["state"])
            self.last_activity = last_activity_of(self.state, self.last_activity)
            if self.state.get("restarts", 0) > before.get("restarts", 0):
                self._ended = (*self._ended, self.reason)[-MOST_ENDS:]
            self._on_change(self)
        elif kind == "closed":
            ended = self._streams.pop(document["stream"], None)
            if ended is not None:
                ended.client.end(OWNER_CHANGES, str(document.get("reason") or ""))
                self._on_change(self)
        elif kind == "ticket":
            self.wants_ticket = True
        elif kind == "call":
            if len(frame) > LONGEST_CALL:
                raise ValueError(f"a call has {len(frame)} characters")
            self._on_call(self, document, len(frame))
        else:
            # An agent of the next version may report more than this one knows.
            self._log.debug("kernel %s: unknown event %r", self.kernel_id, kind)

    def _receive_message(self, frame: bytes) -> None:
        number, sequence, is_message, onward = for_client(frame)
        if number == JOURNAL_PART:
            self._on_part(self, sequence, unpack_agent_frame(frame).message)
            return
        if number == EVERY_STREAM:
            streams = list(self._streams.values())
        else:
            stream = self._streams.get(number)
            streams = [] if stream is None else [stream]
        for stream in streams:
            if stream.last is None:
                continue
            if is_message:
                if sequence <= stream.last:
                    continue
                stream.last = sequence
            stream.client.deliver(onward)

    async def answer_call(self, number: int, answer: Mapping[str, Any]) -> None:
        """Sends the answer to a call of the kernel; returns when it has been sent, or never will
        be."""
        if not self.lost:
            await self._send(json.dumps({"type": "called", "id": number, **answer}))

    def answer_part(self, last: int, answer: Mapping[str, Any]) -> None:
        """Says whether the part of the journal with this last number is kept."""
        if not self.lost:
            self._send(json.dumps({"type": "kept", "last": last, **answer}))

    def give_ticket(self, document: Mapping[str, Any]) -> None:
        """Gives the agent a ticket, with which it calls labs."""
        if not self.lost:
            self._send(json.dumps({"type": "ticket", **document}))

    def announce(self, gateways: list[str]) -> None:
        """Tells the agent which gateways there are now."""
        if not self.lost:
            self._send(json.dumps({"type": "gateways", "gateways": gateways}))

    def close(self) -> None:
        """Ends the connection to the agent."""
        self._close()

    def end(self, reason: str) -> None:
        """The connection is lost: informs everybody who waits for it."""
        if self.lost:
            return
        self.lost = True
        commands, self._commands = self._commands, {}
        for answered in commands.values():
            answered(None)
        streams, self._streams = self._streams, {}
        code = NO_SUCH_KERNEL if self._deleted else OWNER_CHANGES
        for stream in streams.values():
            stream.client.end(code, self._deleted or reason)

    def deleted(self, by: str = "") -> None:
        """The kernel's record is deleted, by this user if it was one: its clients need not look
        for another owner."""
        self._deleted = f"the kernel was shut down by {by}" if by else "the kernel was deleted"
        if by:
            for stream in self._streams.values():
                stream.client.shut_down(by)

    def overtaken(self, owned: Mapping[str, int]) -> bool:
        """Whether the record has another owner or epoch, by what this gateway owns, though nobody
        asked for its end here."""
        if self._deleted or self.being_claimed:
            return False
        return owned.get(self.kernel_id) != self.epoch


def last_activity_of(state: Mapping[str, Any], default: datetime) -> datetime:
    """When the kernel last sent or got a message, or its processes worked, as the agent reports."""
    said = parse_activity(state.get("last_activity"), default)
    worked = state.get("last_work")
    return max(said, parse_activity(worked, said)) if worked else said


def parse_activity(text: str | None, default: datetime) -> datetime:
    """The time that an agent sent, in UTC; `default` if it is missing or invalid.

    At most the current time, because a kernel with a time in the future would never become idle.
    """
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return default
    return min(moment, datetime.now(UTC)) if moment >= _EARLIEST else default
