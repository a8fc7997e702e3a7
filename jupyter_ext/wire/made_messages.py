"""Kernel messages that labs, gateways and agents send on behalf of a kernel."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jupyter_ext.wire.messages import join_v1

_REQUEST = "_request"


def reply_type(request_type: object) -> str | None:
    """The type of the reply to a request; None if no reply is expected, because it is none."""
    if not isinstance(request_type, str) or not request_type.endswith(_REQUEST):
        return None
    return f"{request_type.removesuffix(_REQUEST)}_reply"


def make_message(
    session: str,
    channel: str,
    kind: str,
    parent: bytes,
    content: Mapping[str, Any],
    buffers: Sequence[bytes] = (),
) -> bytes:
    """A message of this type in the v1 layout. `session` is the sender's, `parent` the header of
    what it answers as JSON."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": session,
        "username": "",
        "date": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "version": "5.3",
    }
    parts = (json.dumps(header).encode(), parent, b"{}", json.dumps(content).encode())
    return join_v1(channel, [*parts, *buffers])
