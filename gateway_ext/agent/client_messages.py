"""What clients send to the kernel: given to its process, or kept until there is one."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from jupyter_ext.wire.messages import MessageError, parse_part, split_v1

from .requests.kernel_requests import KernelRequests
from .sessions import Sessions
from .zmq_channels import KernelChannels

_log = logging.getLogger("fleet.agent")

_CHANNELS = frozenset({"shell", "control", "stdin"})


class ClientMessage(NamedTuple):
    """A message of a session, with its header and its parts from the header on, and the name of the
    user who has sent it, None if the gateway does not say."""

    session_id: str
    channel: str
    header: dict[str, Any]
    parts: list[bytes]
    user: str | None = None


class ClientMessages:
    """Passes messages on in order, and notes which requests the process has."""

    def __init__(self, sessions: Sessions, requests: KernelRequests) -> None:
        self._sessions = sessions
        self._requests = requests
        self._waiting: list[ClientMessage] = []

    def read(
        self, session_id: str, message: bytes, user: str | None = None
    ) -> ClientMessage | None:
        """The message in the v1 layout; None, and a line in the log, if no kernel could read it.
        None also for an execute_request that has come before."""
        try:
            channel, parts = split_v1(message)
            if channel not in _CHANNELS:
                raise MessageError(f"clients cannot speak on the channel {channel!r}")
            header = parse_part(parts[0])
            request = header["msg_id"]
        except (MessageError, KeyError) as error:
            _log.warning("dropped a message of session %s: %s", session_id, error)
            return None
        if self._requests.is_known(header):
            return None
        session = self._sessions.get(session_id)
        if session is not None and channel != "stdin":
            session.in_flight.add(str(request))
        return ClientMessage(session_id, channel, header, parts, user)

    def pass_on(self, message: ClientMessage, channels: KernelChannels | None) -> None:
        """Give it to the process with these channels; it waits while there is none."""
        self._requests.sent(message.session_id, message.channel, message.header, message.parts)
        if channels is None:
            self._waiting.append(message)
        else:
            self._give(message, channels)

    def give_waiting(self, channels: KernelChannels) -> None:
        """Give the process what has waited for it."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._give(message, channels)

    def _give(self, message: ClientMessage, channels: KernelChannels) -> None:
        session_id, channel, _, parts, user = message
        self._requests.given(session_id, channel, parts, user)
        channels.send(session_id, channel, parts)

    def abort_waiting(self, kernel_session: str, *, next_process: bool) -> None:
        """Answer what will never be given to a process, in the name of the one before. Those who
        ask what kernel it is wait for the next one, if there will be one, and for nothing
        otherwise: a client whose first such request fails never uses the kernel."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            if next_process and _asks_for_kernel(message):
                self._waiting.append(message)
            else:
                self._abort(message, kernel_session)

    def _abort(self, message: ClientMessage, kernel_session: str) -> None:
        """Answer what no process will get, except for a question what kernel it is."""
        session_id, channel, header, parts, _ = message
        if not _asks_for_kernel(message):
            self._requests.abort(session_id, channel, parts, kernel_session)
        self._sessions.finished(str(header["msg_id"]))


def _asks_for_kernel(message: ClientMessage) -> bool:
    return message.header.get("msg_type") == "kernel_info_request"
