"""Requests on their way to the kernel, and the kernel's messages on their way to the journal."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from gateway_ext.agent.entry import COMM, CURSORS, Audience, Entry, Reach
from gateway_ext.agent.journal import Journal
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import FLEET_CHANNEL, MessageError, join_v1, parse_part

from .index import Record, RequestIndex
from .people import People, leaves_traces
from .questions import Questions
from .replay import Restarted, Wanted, append_replay, lost_process, wanted
from .superseded import SupersededSteps
from .unanswered import Unanswered, UnansweredRequests, last_messages

_log = logging.getLogger("fleet.agent")

NOTHING = "nothing"
"""What a page sends, on the channel `fleet`, in place of a question whose answer nobody wants any
more: its number may not be missing."""
LONGEST_QUESTION = 8 * 2**20
"""Bytes of what a page says it has, some 40,000 cells: a longer one would hold the event loop."""
_LONGEST_HEADER = 2**16
"""Bytes of a question's header, which each part of the answer repeats: pages' are far shorter."""
_ENDED_A_TURN = 50
_COMMS = frozenset({"comm_open", "comm_msg", "comm_close"})


class KernelRequests:
    """Keeps the index, says to whom each message goes, and answers what dies with a process."""

    def __init__(self, append: Callable[[Audience, bytes, bool], Entry]) -> None:
        """`append` adds a message to the journal; its last argument says that it is the end of a
        request."""
        self._append = append
        self._questions = Questions(self._replay)
        self.index = RequestIndex()
        self.on_superseded: Callable[[int], None] = lambda number: None
        """Called with the number of a message that makes no difference any more."""
        self._steps = SupersededSteps()
        self._unanswered = UnansweredRequests()
        self._process = 0
        self._people = People()
        self._ended = Restarted(0, "")

    def new_process(self, prepared_by: Sequence[str | None] = ()) -> None:
        """The kernel has a new process, which does from its start on what these users may have
        chosen."""
        self._process += 1
        for user in prepared_by:
            self._people.used(self._process, user)
        if self._process > 1 or prepared_by:
            self._people.began(self._process, self._tell_people())

    # -- from clients -------------------------------------------------------------------------

    def sent(self, session: str, channel: str, header: dict[str, Any], parts: list[bytes]) -> None:
        """A client has sent a message, which may have to wait for the kernel. `parts` are those
        from the header on."""
        if channel == "stdin":
            # Other pages ask the same.
            for asking in self.index.answered():
                self._announce(asking)
        if channel != "shell":
            return
        process = max(1, self._process)
        record = self.index.sent(session, header, parts[2], parts[3], process)
        if record is not None:
            self._announce(record)

    def is_known(self, header: dict[str, Any]) -> bool:
        """Whether an execute_request with this header has come before."""
        if header.get("msg_type") != "execute_request":
            return False
        return self.index.has_come(str(header.get("msg_id")))

    @property
    def people(self) -> dict[str, Any]:
        """Who has used the kernel's process, as pages are told."""
        return self._people.of(max(1, self._process))

    def _tell_people(self) -> int:
        """Returns the number of the message."""
        message = make_message("", FLEET_CHANNEL, "people", b"{}", self.people)
        return self._append(CURSORS, message, False).sequence

    def given(
        self, session: str, channel: str, parts: list[bytes], user: str | None = None
    ) -> None:
        """The kernel's process is given this user's message now. Pages learn of a new user before
        anything that their code says."""
        kind = str(_content(parts[0]).get("msg_type"))
        is_use = leaves_traces(channel, kind, parts[3], len(parts) - 4)
        if is_use and self._people.used(self._process, user):
            self._tell_people()
        waiting = _unanswered(session, channel, parts)
        if waiting is None:
            return
        request, sent = waiting
        self._unanswered.add(request, sent)
        record = self.index.get(request)
        if record is not None:
            record.process = self._process

    def _announce(self, record: Record) -> None:
        """Every page that shows the cell learns of it."""
        message = make_message("", FLEET_CHANNEL, "request", b"{}", record.shown())
        self._append(CURSORS, message, record.state == "done")

    # -- from the kernel ----------------------------------------------------------------------

    def received(
        self,
        session: str | None,
        channel: str,
        message_type: str,
        request: str,
        parts: list[bytes],
    ) -> None:
        """The kernel has said something on the socket of a session, or to all."""
        state = ""
        if channel == "iopub" and message_type == "status":
            state = str(_content(parts[3]).get("execution_state"))
        self._unanswered.heard(message_type, request, state)
        self._tell(session, channel, message_type, request, join_v1(channel, parts), parts[3])

    def _tell(
        self,
        session: str | None,
        channel: str,
        message_type: str,
        request: str,
        message: bytes,
        content: bytes,
        *,
        by_agent: bool = False,
    ) -> None:
        done = None
        is_idle = message_type == "status" and b'"idle"' in content
        is_end = is_idle or message_type.endswith("_reply")
        for audience in self._audiences(session, channel, message_type, request, by_agent):
            number = self._append(audience, message, is_end).sequence
            done = self.index.heard(channel, message_type, request, content, number) or done
            if channel == "iopub":
                self._look_for_steps(message_type, request, content, number)
        if done is not None:
            self._announce(done)

    def _look_for_steps(self, message_type: str, request: str, content: bytes, number: int) -> None:
        is_update = message_type == "update_display_data"
        shown = self.index.shown(content) if is_update else None
        superseded = self._steps.heard(message_type, request, content, number, shown)
        if superseded is not None:
            self.on_superseded(superseded)

    def _audiences(
        self, session: str | None, channel: str, message_type: str, request: str, by_agent: bool
    ) -> list[Audience]:
        record = self.index.get(request)
        if channel == "iopub" and message_type in _COMMS:
            return [COMM]
        if session is None or record is None:
            return [Audience.of_session(session)]
        # Nothing but this reply says why something did not end: also clients without cells, and who
        # looks into the store, want to know that.
        if channel == "shell" and (record.cell is not None or by_agent):
            return [Audience(Reach.SESSION_AND_CURSORS, session)]
        sessions = dict.fromkeys([session, record.adopted or session])
        return [Audience(Reach.SESSION, one) for one in sessions]

    # -- the end of a process -----------------------------------------------------------------

    def printed(self, stream: str, parent: bytes, text: str, kernel_session: str) -> None:
        """The process, which has ended, had printed this and had no time to send it. `parent` is
        the header of the request."""
        content = {"name": stream, "text": text}
        message = make_message(kernel_session, "iopub", "stream", parent, content)
        request = str(_content(parent).get("msg_id", ""))
        packed = json.dumps(content).encode()
        self._tell(None, "iopub", "stream", request, message, packed)

    async def died(self, reason: str, kernel_session: str) -> None:
        """The process has ended, and with it what it had not answered. There may be thousands:
        everybody else gets a turn meanwhile."""
        self._ended = Restarted(self._process, reason)
        for number, (request, sent) in enumerate(self._unanswered.take().items(), 1):
            self._end(request, sent, reason, kernel_session)
            if number % _ENDED_A_TURN == 0:
                await asyncio.sleep(0)

    def restarted(self, by: str | None = None) -> None:
        """The user `by` has had the process ended, if it had not ended before, and another one is
        about to start: a page that has asked what its cells lack is told of that by nothing else.
        """
        self._ended = replace(self._ended, by=by)
        lost = lost_process(self.index, self._ended)
        self._tell_pages("restarted", {"restarted": None if lost is None else asdict(lost)})

    def interrupted(self, by: str) -> None:
        """This user has interrupted what runs."""
        self._tell_pages("interrupted", {"by": by})

    def _tell_pages(self, message_type: str, content: dict[str, Any]) -> None:
        message = make_message("", FLEET_CHANNEL, message_type, b"{}", content)
        self._append(CURSORS, message, False)

    def abort(self, session: str, channel: str, parts: list[bytes], kernel_session: str) -> None:
        """A message that waited for the kernel will never be given to it."""
        waiting = _unanswered(session, channel, parts)
        if waiting is not None:
            self._end(*waiting, "", kernel_session)

    def refuse(
        self,
        session: str,
        channel: str,
        header: dict[str, Any],
        parts: list[bytes],
        kernel_session: str,
        reason: str,
    ) -> None:
        """A page's message has come to a dead kernel: if it is a cell, nobody but pages learns that
        it has ended."""
        if header.get("msg_type") != "execute_request":
            return
        self.sent(session, channel, header, parts)
        sent = Unanswered(session, channel, "execute_request", parts[0], running=True)
        for channel, message_type, message, content in last_messages(sent, kernel_session, reason):
            packed = json.dumps(content).encode()
            request = str(header["msg_id"])
            self._tell(session, channel, message_type, request, message, packed)

    def _end(self, request: str, sent: Unanswered, reason: str, kernel_session: str) -> None:
        record = self.index.get(request)
        count = record.count if record else None
        said = last_messages(sent, kernel_session, reason, count)
        for channel, message_type, message, content in said:
            session = None if channel == "iopub" else sent.session
            packed = json.dumps(content).encode()
            self._tell(session, channel, message_type, request, message, packed, by_agent=True)

    # -- pages --------------------------------------------------------------------------------

    def from_page(self, journal: Journal, session: str, parts: list[bytes]) -> None:
        """A page of this session has said something on the channel `fleet`; raises MessageError
        if that has no header."""
        if len(parts[0]) > _LONGEST_HEADER:
            _log.warning("the session %s asks with a header that no page sends", session)
            return
        message_type = parse_part(parts[0]).get("msg_type")
        if message_type == "ask":
            self._questions.ask(journal, session, parts)
        elif message_type != NOTHING:
            _log.debug("a page of a later version sent %r", message_type)

    def _replay(self, journal: Journal, session: str, parts: list[bytes]) -> None:
        asked = _content(parts[3]) if len(parts[3]) <= LONGEST_QUESTION else {}
        cells = asked.get("cells")
        if isinstance(cells, dict):
            answer = wanted(self.index, cells, self._ended)
        else:
            _log.warning("the session %s asks for no cells, or for too many", session)
            # The page must go on: it holds back what others say until it has an answer.
            answer = Wanted([], [], [], None)
        asked_for = {record["process"] for record in answer.index}
        people, processes = self._people.of_all(asked_for), self._people.processes()
        answer = replace(answer, people=people, processes=processes)
        append_replay(journal, self._append, session, parts[0], answer)
        if not asked.get("adopt"):
            return
        for record in answer.records:
            if record.state != "done" and session not in (record.adopted, record.session):
                record.adopted = session
                self._announce(record)


def _unanswered(session: str, channel: str, parts: list[bytes]) -> tuple[str, Unanswered] | None:
    """The id of a message to the kernel, and what is to be said of it; None if nobody waits."""
    header = _content(parts[0])
    if channel == "stdin" or "msg_id" not in header:
        return None
    kind = str(header.get("msg_type"))
    return str(header["msg_id"]), Unanswered(session, channel, kind, parts[0])


def _content(part: bytes) -> dict[str, Any]:
    try:
        return parse_part(part)
    except MessageError:
        return {}
