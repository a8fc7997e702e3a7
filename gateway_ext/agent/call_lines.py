"""Calls of a kernel's code to the fleet, and their answers, as lines of JSON.

Both ends of the socket use this file: the agent, and `gateway_ext.kernel_tools` in the kernel.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

VARIABLE = "FLEET_SOCKET"
"""The environment variable of a kernel that names its agent's Unix socket."""
LONGEST_LINE = 64 * 1024
"""Bytes of a call or of its answer, without the line's end."""
AT_ONCE = 32
"""How many calls of one kernel may wait for their answers."""

_DEEPEST = 32
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_ID_CHARACTERS = 64
_LARGEST_ID = 2**63


@dataclass(frozen=True)
class Call:
    """A call that can be passed on. `number` is the caller's own, and comes back in the answer."""

    number: int | str
    name: str
    arguments: dict[str, Any]


class BadLine(Exception):
    """A line is not a call. `number` is the call's, or None if it could not be read."""

    def __init__(self, message: str, number: int | str | None = None) -> None:
        super().__init__(message)
        self.number = number


def parse_call(line: bytes) -> Call:
    """The call in a line of at most LONGEST_LINE bytes; raises BadLine.

    What is returned can be sent as JSON whose nesting every gateway accepts.
    """
    try:
        document = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadLine('not JSON; a call is one line {"id": 1, "call": NAME}') from None
    if not isinstance(document, dict):
        raise BadLine('not an object; a call is one line {"id": 1, "call": NAME}')
    number = _number_in(document)
    name, arguments = document.get("call"), document.get("arguments", {})
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise BadLine("call must be the name of a call, for example launch-details", number)
    if not isinstance(arguments, dict):
        raise BadLine("arguments must be an object", number)
    if _is_deeper(arguments, _DEEPEST):
        raise BadLine(f"arguments may be nested at most {_DEEPEST} levels deep", number)
    try:
        # A number such as 1e999 is read as infinity, which is not JSON.
        json.dumps(arguments, allow_nan=False)
    except ValueError:
        raise BadLine("arguments contain a number that is too large", number) from None
    return Call(number, name, arguments)


def call_line(number: int, name: str, arguments: dict[str, Any]) -> bytes:
    """A call as a line; raises ValueError or TypeError if it cannot be sent."""
    call = {"id": number, "call": name, "arguments": arguments}
    line = json.dumps(call, allow_nan=False).encode()
    if len(line) > LONGEST_LINE:
        raise ValueError(f"the call has {len(line)} bytes; at most {LONGEST_LINE} are accepted")
    return line + b"\n"


def succeeded(result: dict[str, Any]) -> dict[str, Any]:
    """An answer with a result."""
    return {"ok": True, "result": result}


def failed(status: int, message: str) -> dict[str, Any]:
    """An answer that says why there is no result; `status` has the meaning that it has in HTTP."""
    return {"ok": False, "status": status, "message": message}


def answer_line(number: int | str | None, answer: dict[str, Any]) -> bytes:
    """The answer to the call of that number as a line."""
    line = json.dumps({"id": number, **answer}).encode()
    if len(line) > LONGEST_LINE:
        message = f"the answer has {len(line)} bytes; at most {LONGEST_LINE} can be passed on"
        line = json.dumps({"id": number, **failed(500, message)}).encode()
    return line + b"\n"


def _number_in(document: dict[str, Any]) -> int | str:
    number = document.get("id")
    if isinstance(number, str) and len(number) <= _ID_CHARACTERS:
        return number
    if type(number) is int and abs(number) < _LARGEST_ID:
        return number
    raise BadLine(f"id must be a 64-bit integer or at most {_ID_CHARACTERS} characters of text")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects are nested in more levels than these."""
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(each, dict | list) for each in level)
