"""A launch that this gateway ends, though its agent runs on a machine of another gateway."""

import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from gateway_ext.kernels.agents.agent_link import CommandFailed, LinkLost
from gateway_ext.kernels.lifecycle.launches import Launches
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.agent_process import LaunchFailed
from tests.unit.gateway_ext.sample_record import sample_record

RECORD = sample_record(KernelState.LAUNCHING, kernel_id="k", now=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("answer", "ended"),
    [({"ok": True}, "set_dead"), (LinkLost("gone"), "give_up"), (CommandFailed("no"), "give_up")],
)
async def test_its_agent_is_told_to_end_the_kernel(answer: Any, ended: str) -> None:
    records, link = AsyncMock(), MagicMock()
    records.get.return_value = RECORD
    records.agents.is_claimed.return_value = False
    link.command = AsyncMock(side_effect=[answer])
    proxy = SimpleNamespace(end=AsyncMock(return_value=False), made_nothing=False)
    links = MagicMock(get=MagicMock(return_value=link))
    launches = Launches(
        MagicMock(proxy_of=MagicMock(return_value=proxy)),
        records=records,
        membership=SimpleNamespace(name=RECORD.owner),  # type: ignore[arg-type]
        links=links,
        board=MagicMock(),
        watch=MagicMock(),
        settings=MagicMock(),
        at_once=1,
        log=logging.getLogger("launches"),
    )
    await launches.fail(RECORD, LaunchFailed("too late"))
    assert link.command.await_args.args == ("shutdown",)
    assert link.command.await_args.kwargs["now"] is True
    told = getattr(records, ended)
    assert told.await_args.args == ("k", RECORD.epoch, "too late")
    other = {"set_dead": records.give_up, "give_up": records.set_dead}[ended]
    assert other.await_count == 0
    links.remove.assert_called_once()
