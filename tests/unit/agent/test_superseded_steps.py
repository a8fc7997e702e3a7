"""Which messages make no difference to what a page shows in the end, and which do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_ext.agent.requests.superseded import LONGEST_STEP
from tests.unit.agent.page_model import Said, shown
from tests.unit.agent.requests_agent import Agent

TEXTS = st.lists(st.sampled_from(["\r", "\n", "\b", "\x1b[1m", "a", "bc", "😀", ""]), max_size=4)
IDS = st.sampled_from(["d", "e"])
REQUESTS = st.sampled_from(["r", "q"])


def stream(text: str, name: str = "stderr") -> tuple[str, dict[str, Any]]:
    return "stream", {"name": name, "text": text}


def display(display_id: str, data: int = 0, *, update: bool = False) -> tuple[str, dict[str, Any]]:
    kind = "update_display_data" if update else "display_data"
    return kind, {"data": data, "metadata": {}, "transient": {"display_id": display_id}}


def update(display_id: str, data: int) -> tuple[str, dict[str, Any]]:
    return display(display_id, data, update=True)


STREAMS = st.builds(stream, TEXTS.map("".join).filter(bool), st.sampled_from(["stdout", "stderr"]))
SAID = st.lists(
    st.tuples(
        REQUESTS,
        # Mostly what can be superseded.
        st.builds(stream, TEXTS.map("".join).filter(bool))
        | STREAMS
        | st.builds(display, IDS, st.integers(0, 99))
        | st.builds(update, IDS, st.integers(0, 99))
        | st.builds(update, IDS, st.integers(0, 99))
        | st.booleans().map(lambda wait: ("clear_output", {"wait": wait})),
    ),
    max_size=30,
)


class Heard:
    """What an agent has heard, and which numbers it was told to leave out."""

    def __init__(self) -> None:
        self.agent = Agent()
        self.superseded: list[int] = []
        self.agent.requests.on_superseded = self.superseded.append
        self.messages: dict[int, Said] = {}
        for request, cell in (("r", "a"), ("q", "b")):
            self.agent.execute(request, cell)

    def say(self, request: str, message: tuple[str, dict[str, Any]]) -> int:
        kind, content = message
        self.agent.say(request, kind, content)
        self.messages[self.agent.journal.last] = (request, kind, content)
        return self.agent.journal.last

    def without(self, left_out: set[int]) -> list[Said]:
        return [said for number, said in self.messages.items() if number not in left_out]


def superseded(*messages: tuple[str, dict[str, Any]]) -> list[int]:
    """Which messages of one request, counted from 1, are superseded."""
    heard = Heard()
    before = heard.agent.journal.last
    for message in messages:
        heard.say("r", message)
    return [number - before for number in heard.superseded]


@settings(max_examples=500)
@given(SAID, st.data())
def test_a_page_shows_the_same_whichever_of_them_it_never_saw(
    said: list[tuple[str, tuple[str, dict[str, Any]]]], data: st.DataObject
) -> None:
    heard = Heard()
    for request, message in said:
        heard.say(request, message)
    assert len(set(heard.superseded)) == len(heard.superseded)
    left_out = data.draw(st.sets(st.sampled_from(heard.superseded or [0])))
    everything = shown(heard.without(set()))
    assert shown(heard.without(left_out)) == everything
    assert shown(heard.without(set(heard.superseded))) == everything
    # Whoever gets a single cell sees the same of it as well.
    for request in ("r", "q"):
        record = heard.agent.requests.index.get(request)
        assert record is not None
        own = {n for first, last in record.numbers for n in range(first, last + 1)}
        others = set(heard.messages) - own
        alone = shown(heard.without(others | left_out)).get(request)
        assert alone == shown(heard.without(others)).get(request)


def test_steps_of_a_progress_bar_are_superseded_by_the_next_one() -> None:
    bar = [stream(f"\r{n:3}%|{'█' * n}|") for n in (1, 2, 3)]
    assert superseded(*bar) == [1, 2]
    # As people write it by hand: the first one may be in the middle of a line.
    assert superseded(*[stream(f"{n} of 9\r", "stdout") for n in (1, 2, 3, 4)]) == [2, 3]
    assert superseded(stream("\n"), stream("\r10"), stream("\r11\n"), stream("\r12")) == [2]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Something of it would be seen.
        (stream("\rlong"), stream("\rer")),
        (stream("\r1\n"), stream("\r2\n")),
        (stream("\r1"), stream("2")),
        (stream("\r1"), stream("\r")),
        (stream("\r1\t"), stream("\r2    ")),
        (stream("\r\x1b[31m1"), stream("\r\x1b[32m2")),
        (stream("\r12"), stream("\r3\b4")),
        (stream("\r1"), stream("\r\n2")),
        (stream("\r😀😀"), stream("\r123")),
        # The line may have something before it.
        (stream("1\r"), stream("2\r")),
        (stream("\r1\r"), stream("2\r")),
        # Another output.
        (stream("\r1"), stream("\r2", "stdout")),
        # Too long to be looked at.
        (stream("\r1"), stream("\r2" + "x" * LONGEST_STEP)),
        (update("d", 1), update("e", 2)),
        (display("d", 1), display("d", 2)),
        (display("d", 1), update("d", 2)),
        # Changes that replays of single cells would not have.
        (update("d", 1), display("d", 2)),
    ],
)
def test_what_makes_a_difference_is_not_superseded(before: Any, after: Any) -> None:
    assert superseded(before, after) == []


@pytest.mark.parametrize(
    "between",
    [
        stream("x", "stdout"),
        display("e"),
        ("clear_output", {"wait": False}),
        ("error", {"ename": "", "evalue": "", "traceback": []}),
    ],
)
def test_what_comes_between_two_steps_keeps_the_first_one(between: Any) -> None:
    assert superseded(stream("\r1"), between, stream("\r2")) == []


def test_other_cells_do_not_come_between_two_steps() -> None:
    heard = Heard()
    first = heard.say("r", stream("\r1"))
    heard.say("q", stream("\r1"))
    heard.say("r", stream("\r2"))
    assert heard.superseded == [first]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("comm_open", {}),
        ("comm_close", {}),
        ("comm_msg", {"state": {"msg_id": "r"}}),
        ("comm_msg", {"state": {"outputs": []}}),
    ],
)
def test_a_widget_that_may_catch_outputs_keeps_what_was_before(kind: str, data: Any) -> None:
    caught = (kind, {"comm_id": "c", "data": data})
    assert superseded(update("d", 1), caught, update("d", 2), update("d", 3)) == [3]
    assert superseded(stream("\r1"), caught, stream("\r2"), stream("\r3")) == [3]
    moved = ("comm_msg", {"comm_id": "c", "data": {"state": {"value": 5}}})
    assert superseded(update("d", 1), moved, update("d", 2)) == [1]


def test_a_change_that_another_cell_needs_is_kept() -> None:
    heard = Heard()
    heard.say("r", display("d", 1))
    kept = heard.say("q", update("d", 2))
    # The cell is run again, with another display of this name: the change before was not its own.
    heard.agent.execute("again", "a")
    heard.say("again", display("d", 3))
    gone = heard.say("q", update("d", 4))
    heard.say("q", update("d", 5))
    assert heard.superseded == [gone]
    assert kept not in heard.superseded
