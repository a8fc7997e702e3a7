"""Requests that a kernel's process has and has not finished, and what is said if it dies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_ext.wire.made_messages import make_message, reply_type

MOST_UNANSWERED = 10_000


@dataclass
class Unanswered:
    """A message to the kernel. `header` is JSON."""

    session: str
    channel: str
    message_type: str
    header: bytes
    running: bool = False
    replied: bool = False
    idle: bool = False

    @property
    def finished(self) -> bool:
        """Whether nothing more is said about it."""
        return self.idle and (self.replied or reply_type(self.message_type) is None)


class UnansweredRequests:
    """Those of one process of the kernel, in the order in which it got them."""

    def __init__(self) -> None:
        self._requests: dict[str, Unanswered] = {}

    def add(self, request: str, sent: Unanswered) -> None:
        """The process was given a message."""
        self._requests[request] = sent
        if len(self._requests) > MOST_UNANSWERED:
            # Nobody waits for a reply to some; otherwise the newest: those before it run first.
            unasked = (
                r for r, one in self._requests.items() if reply_type(one.message_type) is None
            )
            del self._requests[next(unasked, request)]

    def heard(self, message_type: str, request: str, execution_state: str) -> None:
        """The kernel has said something about a request; `execution_state` is that of a status."""
        sent = self._requests.get(request)
        if sent is None:
            return
        if message_type == reply_type(sent.message_type):
            sent.replied = True
        elif message_type == "execute_input" or execution_state == "busy":
            sent.running = True
        elif execution_state == "idle":
            sent.idle = True
        if sent.finished:
            del self._requests[request]

    def take(self) -> dict[str, Unanswered]:
        """All of them: the process has ended."""
        taken, self._requests = self._requests, {}
        return taken


def last_messages(
    sent: Unanswered, kernel_session: str, reason: str, count: int | None = None
) -> Iterator[tuple[str, str, bytes, dict[str, Any]]]:
    """What is said for a request whose process has ended: channel, type, the message in the v1
    layout, and its content. `kernel_session` is the session id of that process: pages drop what
    waits of an older one. `count` is the execution count, if the process has said one."""
    reply = reply_type(sent.message_type)
    if reply is not None and not sent.replied:
        content: dict[str, Any] = {"status": "aborted"}
        # Without a reason it was interrupted before its turn, and its kernel lives.
        if sent.message_type == "execute_request" and (sent.running or reason):
            content = {
                "status": "error" if sent.running else "aborted",
                "ename": "KernelDied",
                "evalue": reason,
                "traceback": [],
                "execution_count": count,
            }
        message = make_message(kernel_session, sent.channel, reply, sent.header, content)
        yield sent.channel, reply, message, content
    if not sent.idle:
        content = {"execution_state": "idle"}
        message = make_message(kernel_session, "iopub", "status", sent.header, content)
        yield "iopub", "status", message, content
