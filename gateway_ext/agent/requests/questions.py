"""When pages' questions are answered: an answer takes time and room in the journal, which are
everybody's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway_ext.agent.journal import Journal

_LONG_SECONDS = 0.01
"""An answer that took less is no burden."""
_OTHERS_SHARE = 2
"""After a long answer, everything else gets so many times as long."""
_LOOK_SECONDS = 0.01


class Questions:
    """Answers one question of each session at a time, in turns, while the journal has room."""

    def __init__(self, answer: Callable[[Journal, str, list[bytes]], None]) -> None:
        self._answer = answer
        self._waiting: dict[str, list[bytes]] = {}
        self._not_before = 0.0
        self._answering: asyncio.Task[None] | None = None

    def ask(self, journal: Journal, session: str, parts: list[bytes]) -> None:
        """A page of this session asks, and does not want the answer to what it asked before."""
        self._waiting.pop(session, None)
        if not self._waiting and self._may_answer(journal):
            self._answer_now(journal, session, parts)
            return
        self._waiting[session] = parts
        if self._answering is None:
            self._answering = asyncio.get_running_loop().create_task(self._run(journal))

    async def _run(self, journal: Journal) -> None:
        try:
            while self._waiting:
                if self._may_answer(journal):
                    session = next(iter(self._waiting))
                    self._answer_now(journal, session, self._waiting.pop(session))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._answering = None

    def _may_answer(self, journal: Journal) -> bool:
        return not journal.is_disk_behind and time.monotonic() >= self._not_before

    def _answer_now(self, journal: Journal, session: str, parts: list[bytes]) -> None:
        begun = time.monotonic()
        self._answer(journal, session, parts)
        took = time.monotonic() - begun
        if took > _LONG_SECONDS:
            self._not_before = time.monotonic() + _OTHERS_SHARE * took
