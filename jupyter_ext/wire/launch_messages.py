"""Kernel messages that a lab or a gateway sends to its client while the kernel is being launched,
when there is no kernel yet that could."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_ext.wire.made_messages import make_message, reply_type
from jupyter_ext.wire.messages import MessageError, parse_part, split_v1

_LONGEST_HEADER = 64 * 1024
"""Bytes: longer ones, which no client sends, would hold the event loop while they are parsed."""


def status_message(session: str, content: Mapping[str, Any]) -> bytes:
    """A `status` on iopub that answers no request. `session` is the sender's: clients expect the
    same one as long as they talk to the same kernel process."""
    return make_message(session, "iopub", "status", b"{}", content)


def survives_interrupt(message: bytes) -> bool:
    """Whether a message keeps waiting for the kernel when a user interrupts the launch.

    So does `kernel_info_request`: a client whose first one fails never uses the kernel. Raises
    MessageError if this is no kernel message.
    """
    channel, header = _header_of(message)
    return channel == "shell" and parse_part(header).get("msg_type") == "kernel_info_request"


def aborted_replies(session: str, message: bytes) -> list[bytes]:
    """What a kernel sends when it aborts a message (v1 layout): the reply, and that it is idle.

    Empty for a message that is not a request, because nobody waits for an answer to it. Raises
    MessageError if this is no kernel message.
    """
    channel, header = _header_of(message)
    kind = parse_part(header).get("msg_type")
    reply = reply_type(kind)
    if reply is None:
        return []
    return [
        make_message(session, channel, reply, header, {"status": "aborted"}),
        make_message(session, "iopub", "status", header, {"execution_state": "idle"}),
    ]


def _header_of(message: bytes) -> tuple[str, bytes]:
    """Channel and header, which is short enough to be parsed; raises MessageError."""
    channel, (header, *_) = split_v1(message)
    if len(header) > _LONGEST_HEADER:
        raise MessageError(f"a kernel message has a header of {len(header)} bytes")
    return channel, header
