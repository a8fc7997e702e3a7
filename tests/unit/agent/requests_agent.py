"""The agent's journal and requests, for tests that need no kernel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from gateway_ext.agent.entry import Audience, Entry, Reach
from gateway_ext.agent.journal import Journal
from gateway_ext.agent.requests.kernel_requests import KernelRequests
from gateway_ext.agent.requests.replay import replayed
from gateway_ext.agent.segments.disk import JournalDisk
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import split_fleet, split_v1


class Agent:
    """What a page may ask, and what its kernel says is up to the test."""

    def __init__(
        self,
        limit: int = 10**9,
        disk: JournalDisk | None = None,
        prepared_by: Sequence[str | None] = (),
    ) -> None:
        self.journal = Journal(limit, disk=disk)
        self.requests = KernelRequests(self._append)
        self.requests.on_superseded = self.journal.supersede
        self.requests.new_process(prepared_by)

    def _append(self, audience: Audience, message: bytes, is_end: bool) -> Entry:
        return self.journal.append(audience, message, is_end=is_end)

    def execute(self, request: str, cell: str | None) -> None:
        header = {"msg_id": request, "msg_type": "execute_request"}
        parts = [json.dumps(p).encode() for p in (header, {}, {"cellId": cell}, {"code": ""})]
        self.requests.sent("page", "shell", header, parts)
        self.requests.given("page", "shell", parts)

    def say(self, request: str, kind: str, content: dict[str, Any]) -> None:
        message = make_message(
            "k", "iopub", kind, json.dumps({"msg_id": request}).encode(), content
        )
        _, parts = split_v1(message)
        self.requests.received(None, "iopub", kind, request, parts)

    def print(self, request: str, text: str) -> None:
        self.say(request, "stream", {"name": "stdout", "text": text})

    def reply(self, request: str) -> None:
        """On a socket of its own: before or after anything that the kernel says to all."""
        content = {"status": "ok", "execution_count": 1}
        asked = json.dumps({"msg_id": request}).encode()
        message = make_message("k", "shell", "execute_reply", asked, content)
        _, parts = split_v1(message)
        self.requests.received("page", "shell", "execute_reply", request, parts)

    def ask(self, **cells: Any) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """The contents of the parts of the replay, and those of the messages in each."""
        before = self.journal.last
        # On a loaded machine the answer before may have taken long enough for this one to wait.
        self.requests._questions._not_before = 0.0
        asked = {"cells": cells, "adopt": False}
        question = make_message("page", "fleet", "ask", b"{}", asked)
        self.requests.from_page(self.journal, "page", split_fleet(question)[1])
        parts = []
        for number in range(before + 1, self.journal.last + 1):
            entry = self.journal.get(number)
            assert entry is not None
            assert entry.audience == (Reach.REPLAY, "page")
            message = asyncio.run(replayed(self.journal, entry.message))
            _, (_, _, _, content, *buffers) = split_fleet(message)
            told = [json.loads(split_v1(one)[1][3]) for one in buffers]
            parts.append((json.loads(content), told))
        return parts
