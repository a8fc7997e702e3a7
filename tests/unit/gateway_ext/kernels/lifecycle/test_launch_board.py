"""How launches tell those who wait for them, and the database."""

import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.lifecycle.launch_board import MOST_LISTENERS, LaunchBoard
from gateway_ext.ownership.launch_status import LaunchPhase, LaunchStatus, begun_status
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LOG = logging.getLogger("test")


class Records:
    """What was written."""

    def __init__(self) -> None:
        self.written: list[dict[str, tuple[int, LaunchStatus]]] = []
        self.away = False

    async def write(self, statuses: dict[str, tuple[int, LaunchStatus]]) -> None:
        if self.away:
            raise DatabaseUnavailable("away")
        self.written.append(dict(statuses))


class Listener:
    """What a websocket was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def launch_changed(self, status: LaunchStatus) -> None:
        self.told.append(status.phase.value)

    def interrupted(self) -> None:
        self.told.append("interrupted")

    def connected(self, link: AgentLink) -> None:
        self.told.append(link)

    def failed(self, reason: str) -> None:
        self.told.append(reason)

    def gone(self, deleted: bool) -> None:
        self.told.append(deleted)


def record() -> KernelRecord:
    return sample_record(KernelState.LAUNCHING, epoch=1, launch_status=begun_status(NOW), now=NOW)


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def board(records: Records) -> LaunchBoard:
    board = LaunchBoard(records, LOG)  # type: ignore[arg-type]
    board.add(record())
    return board


async def test_what_changed_is_written_once_with_the_epoch(
    board: LaunchBoard, records: Records
) -> None:
    await board.write()
    assert records.written == []
    board.see("k", LaunchPhase.PULLING, "an image")
    board.see("k", LaunchPhase.PULLING, "an image")
    board.see("another", LaunchPhase.PULLING)
    records.away = True
    with pytest.raises(DatabaseUnavailable):
        await board.write()
    records.away = False
    await board.write()
    await board.write()
    [written] = records.written
    assert list(written) == ["k"]
    epoch, status = written["k"]
    assert (epoch, status.phase, status.message) == (1, LaunchPhase.PULLING, "an image")


async def test_after_the_agent_has_connected_the_status_has_its_epoch(
    board: LaunchBoard, records: Records
) -> None:
    link: Any = SimpleNamespace(kernel_id="k", epoch=5)
    board.connected(link)
    board.see("k", LaunchPhase.CONNECTING)
    await board.write()
    assert records.written[0]["k"][0] == 5


def test_listeners_hear_of_everything_until_the_end(board: LaunchBoard) -> None:
    first, second = Listener(), Listener()
    assert board.listen("k", first)
    board.see("k", LaunchPhase.SCHEDULING, "no room")
    assert board.listen("k", second)
    board.interrupt("k")
    board.forget("k", second)
    board.failed("k", "evicted")
    board.see("k", LaunchPhase.PULLING)
    board.interrupt("k")
    assert first.told == ["queued", "scheduling", "interrupted", "evicted"]
    assert second.told == ["scheduling", "interrupted"]
    assert "k" not in board
    assert not board.listen("k", first)


def test_who_got_the_agent_hears_nothing_more(board: LaunchBoard) -> None:
    listener = Listener()
    board.listen("k", listener)
    link: Any = SimpleNamespace(kernel_id="k", epoch=2)
    board.connected(link)
    board.gone("k")
    assert listener.told == ["queued", link]


@pytest.mark.parametrize("deleted", [True, False])
def test_a_launch_that_goes_takes_its_listeners_along(board: LaunchBoard, deleted: bool) -> None:
    listener = Listener()
    board.listen("k", listener)
    board.gone("k", deleted=deleted)
    board.gone("k", deleted=not deleted)
    assert listener.told == ["queued", deleted]


def test_no_more_listeners_than_an_agent_has_sessions(board: LaunchBoard) -> None:
    assert all(board.listen("k", Listener()) for _ in range(MOST_LISTENERS))
    assert not board.listen("k", Listener())
