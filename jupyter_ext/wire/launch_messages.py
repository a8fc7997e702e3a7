"""Kernel messages that a lab or a gateway sends to its client while the kernel is being launched,
when there is no kernel yet that could."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jupyter_ext.wire.messages import join_v1, parse_part, split_v1

_REQUEST = "_request"


def status_message(session: str, content: Mapping[str, Any]) -> bytes:
    """A `status` on iopub that answers no request. `session` is the sender's: clients expect the
    same one as long as they talk to the same kernel process."""
    return _message(session, "iopub", "status", b"{}", content)


def survives_interrupt(message: bytes) -> bool:
    """Whether a message keeps waiting for the kernel when a user interrupts the launch.

    So does `kernel_info_request`: a client whose first one fails never uses the kernel. Raises
    MessageError if this is no kernel message.
    """
    channel, (header, *_) = split_v1(message)
    return channel == "shell" and parse_part(header).get("msg_type") == "kernel_info_request"


def aborted_replies(session: str, message: bytes) -> list[bytes]:
    """What a kernel sends when it aborts a message (v1 layout): the reply, and that it is idle.

    Empty for a message that is not a request, because nobody waits for an answer to it. Raises
    MessageError if this is no kernel message.
    """
    channel, (header, *_) = split_v1(message)
    kind = parse_part(header).get("msg_type")
    if not isinstance(kind, str) or not kind.endswith(_REQUEST):
        return []
    reply = f"{kind.removesuffix(_REQUEST)}_reply"
    return [
        _message(session, channel, reply, header, {"status": "aborted"}),
        _message(session, "iopub", "status", header, {"execution_state": "idle"}),
    ]


def _message(
    session: str, channel: str, kind: str, parent: bytes, content: Mapping[str, Any]
) -> bytes:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": session,
        "username": "",
        "date": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "version": "5.3",
    }
    parts = (json.dumps(header).encode(), parent, b"{}", json.dumps(content).encode())
    return join_v1(channel, parts)
