"""The calls of the kernel's code that wait for an answer of the gateway.

They outlive the connection: what was sent to a gateway that is gone is sent to the next one if
doing it twice does no harm. Which calls that are, and which calls there are, gateways say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .call_lines import AT_ONCE, Call, failed, succeeded

_ANSWER_SECONDS = 60.0
"""How long a call waits for a gateway and for its answer."""

TOO_MANY = failed(429, f"at most {AT_ONCE} calls of a kernel are answered at the same time")
TOO_OLD = failed(503, "this fleet's gateways are too old to answer calls of kernels")
UNKNOWN_END = failed(
    503,
    "the gateway that had this call is gone. It may or may not have been done, so it was not sent "
    "again",
)
NO_GATEWAY = failed(503, f"no gateway of the fleet could be reached for {_ANSWER_SECONDS:.0f} s")
NO_ANSWER = failed(504, f"the fleet did not answer within {_ANSWER_SECONDS:.0f} s")


@dataclass(eq=False)
class _Waiting:
    """A call without an answer. `may_repeat` once it was sent: what that gateway said of it."""

    call: Call
    answer: asyncio.Future[dict[str, Any]]
    sent: bool = False
    may_repeat: bool = True


def idempotent_calls(welcome: dict[str, Any]) -> dict[str, bool] | None:
    """The calls that a gateway knows, by name, with whether they may be repeated; None if it is
    too old for calls."""
    calls = welcome.get("calls")
    if not isinstance(calls, dict):
        return None
    return {
        str(name): isinstance(call, dict) and call.get("idempotent") is True
        for name, call in calls.items()
    }


class KernelCalls:
    """Passes calls to the gateway that has the kernel, one after the other, and their answers
    back."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Waiting] = {}
        self._next_number = 1
        self._post: Callable[[dict[str, Any]], None] | None = None
        self._known: dict[str, bool] | None = None

    async def call(self, call: Call) -> dict[str, Any]:
        """The answer, without the caller's number. Never raises because of a gateway."""
        if len(self._waiting) >= AT_ONCE:
            return TOO_MANY
        number = self._next_number
        self._next_number += 1
        waiting = _Waiting(call, asyncio.get_running_loop().create_future())
        self._waiting[number] = waiting
        try:
            self._send(number, waiting)
            return await asyncio.wait_for(waiting.answer, _ANSWER_SECONDS)
        except TimeoutError:
            return NO_ANSWER if waiting.sent else NO_GATEWAY
        finally:
            del self._waiting[number]

    def connected(
        self, post: Callable[[dict[str, Any]], None], known: dict[str, bool] | None
    ) -> None:
        """From now on there is a gateway, which knows these calls (None: it is too old)."""
        self._post, self._known = post, known
        for number, waiting in self._waiting.items():
            self._send(number, waiting)

    def disconnected(self) -> None:
        """The gateway is gone, with the calls that it has not answered."""
        self._post = None
        for waiting in self._waiting.values():
            if waiting.sent and not waiting.may_repeat:
                _answer(waiting, UNKNOWN_END)
            waiting.sent = False

    def called(self, frame: dict[str, Any]) -> None:
        """The gateway's answer to a call. One that nobody waits for any more is dropped."""
        number = frame.get("id")
        waiting = self._waiting.get(number) if isinstance(number, int) else None
        if waiting is not None and waiting.sent:
            _answer(waiting, _answer_in(frame))

    def _send(self, number: int, waiting: _Waiting) -> None:
        if self._post is None or waiting.answer.done():
            return
        if self._known is None:
            _answer(waiting, TOO_OLD)
            return
        call = waiting.call
        waiting.sent, waiting.may_repeat = True, self._known.get(call.name, False)
        self._post({"type": "call", "id": number, "call": call.name, "arguments": call.arguments})


def _answer(waiting: _Waiting, answer: dict[str, Any]) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(answer)


def _answer_in(frame: dict[str, Any]) -> dict[str, Any]:
    result, status = frame.get("result"), frame.get("status")
    if frame.get("ok") is True and isinstance(result, dict):
        return succeeded(result)
    if isinstance(status, int) and isinstance(frame.get("message"), str):
        return failed(status, frame["message"])
    return failed(502, "the gateway's answer cannot be read")
