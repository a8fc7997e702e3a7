"""When the agent answers pages' questions."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from gateway_ext.agent.entry import EVERYBODY
from gateway_ext.agent.journal import MOST_UNWRITTEN, Journal
from gateway_ext.agent.requests import questions as module
from gateway_ext.agent.requests.questions import Questions
from tests import skipped_time


class FullJournal(Journal):
    """A journal whose disk is as far behind as the test says, in bytes."""

    behind = 0

    @property
    def excess(self) -> int:
        return self.behind


def test_a_question_waits_for_room_and_its_page_wants_only_the_last_answer() -> None:
    async def scenario() -> None:
        journal, answered = FullJournal(1000), []
        questions = Questions(lambda _, session, parts: answered.append((session, parts[0])))
        questions.ask(journal, "a", [b"0"])
        assert answered == [("a", b"0")]
        journal.behind = MOST_UNWRITTEN
        for number in range(1, 100):
            questions.ask(journal, "a", [b"%d" % number])
            questions.ask(journal, "b", [b"%d" % number])
        await asyncio.sleep(60)
        assert len(answered) == 1
        journal.behind = 0
        await asyncio.sleep(60)
        assert answered[1:] == [("a", b"99"), ("b", b"99")]

    skipped_time.run(scenario())


def test_after_a_long_answer_others_have_their_turn() -> None:
    async def scenario() -> None:
        journal, begun = Journal(1000), []

        def answer(*_: object) -> None:
            begun.append(time.monotonic())
            time.sleep(0.05)

        questions = Questions(answer)
        for session in "abc":
            questions.ask(journal, session, [b""])
        async with asyncio.timeout(20):
            while len(begun) < 3:  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.001)
        least = 0.05 * (1 + module._OTHERS_SHARE)
        assert all(after - before >= least for before, after in pairwise(begun))

    asyncio.run(scenario())


def test_a_journal_without_a_disk_always_has_room() -> None:
    journal, answered = Journal(1000), []
    journal.append(EVERYBODY, b"x" * 10_000)
    Questions(lambda *_: answered.append(1)).ask(journal, "a", [b""])
    assert answered == [1]
