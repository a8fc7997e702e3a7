"""Who has used each process of the kernel: their code may have changed what others run there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyter_ext.wire.messages import MessageError, parse_part

MOST_USERS = 100
"""Of one process; further ones count as one that nobody knows."""
MOST_PROCESSES = 1000
"""Of earlier ones nothing is known: pages take them for used by others."""
_LONGEST_READ = 2**16
"""Bytes of a content that is looked at: what pages send by themselves is far shorter."""

_ASK_ONLY = frozenset(
    {
        "kernel_info_request",
        "comm_info_request",
        "history_request",
        "is_complete_request",
        "usage_request",
        "interrupt_request",
        "shutdown_request",
        "create_subshell_request",
        "delete_subshell_request",
        "list_subshell_request",
    }
)
_WIDGET_CONTROL = "jupyter.widget.control"


def leaves_traces(channel: str, message_type: str, content: bytes, buffers: int = 0) -> bool:
    """Whether a client's message may run code or change something in the kernel's process.

    False only for what runs nothing, or says nothing that its sender could have chosen: pages send
    such by themselves when somebody opens them, and that makes nobody a user of the kernel.
    """
    if channel == "stdin":
        # `input()` takes the value of any message there, whatever its type and whoever has sent it.
        return True
    if message_type in _ASK_ONLY:
        return False
    if buffers or len(content) > _LONGEST_READ:
        return True
    try:
        said = parse_part(content)
    except MessageError:
        return True
    match message_type:
        case "comm_open":
            return said.get("target_name") != _WIDGET_CONTROL or bool(said.get("data"))
        case "comm_msg":
            return bool(said.get("data") != {"method": "request_states"})
        case "comm_close":
            return bool(said.get("data"))
        case "debug_request":
            return said.get("command") != "debugInfo" or bool(said.get("arguments"))
    return True


class People:
    """The users of each of the kernel's processes; None stands for some whose names are unknown."""

    def __init__(self) -> None:
        self._users: dict[int, list[str | None]] = {}
        self._began: dict[int, int] = {1: 0}
        """After which number of the journal each process began to say something."""

    def began(self, process: int, after: int) -> None:
        """A process begins: what it says has higher numbers in the journal."""
        self._began[process] = after
        if len(self._began) > MOST_PROCESSES:
            del self._began[next(iter(self._began))]

    def processes(self) -> list[tuple[int, int]]:
        """After which number each process began, in order; the first ones may be forgotten."""
        return [(after, process) for process, after in self._began.items()]

    def used(self, process: int, user: str | None) -> bool:
        """Note that a user has used a process; whether they had not before."""
        users = self._users.setdefault(process, [])
        known = user if len(users) < MOST_USERS else None
        if user in users or known in users:
            return False
        users.append(known)
        if len(self._users) > MOST_PROCESSES:
            del self._users[next(iter(self._users))]
        return True

    def of(self, process: int) -> dict[str, Any]:
        """What pages are told of a process."""
        return {"process": process, "users": list(self._users.get(process, ()))}

    def of_all(self, processes: Iterable[int]) -> dict[str, list[str | None]]:
        """The users of each of these processes, as far as they are known (still)."""
        return {str(one): self._users[one][:] for one in processes if one in self._users}
