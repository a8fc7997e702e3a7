"""Messages of clients that wait until the kernel has started."""

from __future__ import annotations

import logging

from jupyter_ext.wire.launch_messages import aborted_replies, survives_interrupt
from jupyter_ext.wire.messages import MessageError, join_v1, split_v1

WaitingMessage = tuple[str, str, list[bytes]]
"""Session id, channel and the message's parts."""

_log = logging.getLogger("fleet.agent")


def interrupted(
    waiting: list[WaitingMessage], sender: str
) -> tuple[list[WaitingMessage], list[tuple[str | None, bytes]]]:
    """What goes on waiting after a user has interrupted the start, and the answers to the rest, as
    of a kernel that aborts it: each for a session (None for all) and in the v1 layout.

    `sender` is the session of the answers.
    """
    kept: list[WaitingMessage] = []
    answers: list[tuple[str | None, bytes]] = []
    for session_id, channel, parts in waiting:
        message = join_v1(channel, parts)
        try:
            if survives_interrupt(message):
                kept.append((session_id, channel, parts))
                continue
            replies = aborted_replies(sender, message)
        except MessageError as error:
            _log.warning("dropped a message that cannot be answered: %s", error)
            continue
        for reply in replies:
            everybodys = split_v1(reply)[0] == "iopub"
            answers.append((None if everybodys else session_id, reply))
    return kept, answers
