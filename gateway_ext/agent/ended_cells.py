"""What a kernel says of the interrupt with which it is ended."""

from __future__ import annotations

from jupyter_ext.wire.messages import MessageError, parse_part

_INTERRUPT = "KeyboardInterrupt"
_MOST = 1000
"""More than a kernel works on at once; code of users can invent any number."""


class EndedCells:
    """The requests of one process that were interrupted because the kernel is shut down or
    restarted.

    A busy kernel takes no shutdown_request before it is interrupted. Nobody has asked for that
    interrupt: its traceback, and with it the end of the request, would tell people the wrong story.
    What is said of requests that die with their process tells the right one.
    """

    def __init__(self) -> None:
        self._requests: set[str] = set()

    def hides(self, message_type: str, request: str, content: bytes) -> bool:
        """Whether clients get no such message of a kernel that is ended. `content` is JSON."""
        if message_type in ("error", "execute_reply") and _is_interrupt(content):
            if len(self._requests) < _MOST:
                self._requests.add(request)
            return True
        return message_type == "status" and request in self._requests


def _is_interrupt(content: bytes) -> bool:
    try:
        return parse_part(content).get("ename") == _INTERRUPT
    except MessageError:
        return False
