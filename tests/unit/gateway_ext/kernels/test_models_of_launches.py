"""What clients see of a kernel that is being launched."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.kernel_model import kernel_model
from gateway_ext.kernels.refusal import still_launching
from gateway_ext.ownership.culling import CullRules
from gateway_ext.ownership.launch_status import LaunchPhase, begun_status
from gateway_ext.ownership.states import KernelState
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RULES = CullRules(0, False, False, 0, NOW)
STORED = begun_status(NOW).after(LaunchPhase.SCHEDULING, "no room", 2, NOW)
RECORD = sample_record(KernelState.LAUNCHING, epoch=1, launch_status=STORED, now=NOW)


def link(process: str) -> Any:
    return SimpleNamespace(
        epoch=2,
        process=process,
        execution_state="idle",
        reason="",
        last_activity=NOW,
        connections=0,
        network=None,
        network_why="",
    )


def test_the_record_says_how_far_a_launch_is() -> None:
    model = kernel_model(RECORD, None, RULES)
    assert (model["state"], model["execution_state"]) == ("launching", "starting")
    assert model["launch"] == {
        "phase": "scheduling",
        "message": "no room",
        "position": 2,
        "since": "2026-01-02T00:00:00.000000Z",
    }


def test_the_gateway_that_launches_it_knows_better() -> None:
    later = STORED.after(LaunchPhase.PULLING, "an image", None, NOW + timedelta(seconds=1))
    assert kernel_model(RECORD, None, RULES, later)["launch"]["phase"] == "pulling"
    # Its agent is here, and starts the kernel.
    assert kernel_model(RECORD, link("starting"), RULES, later)["launch"]["phase"] == "pulling"
    assert kernel_model(RECORD, link("running"), RULES, later)["launch"] is None


@pytest.mark.parametrize("state", [KernelState.RUNNING, KernelState.DEAD])
def test_no_other_kernel_is_being_launched(state: KernelState) -> None:
    record = replace(RECORD, state=state)
    assert kernel_model(record, None, RULES, STORED)["launch"] is None


def test_a_failed_start_is_told_from_a_kernel_that_ended_later() -> None:
    def failed(state: KernelState, *, not_run: bool, link: Any = None) -> bool:
        record = replace(RECORD, state=state, not_run=not_run)
        return bool(kernel_model(record, link, RULES)["launch_failed"])

    assert failed(KernelState.DEAD, not_run=True)
    assert not failed(KernelState.DEAD, not_run=False)
    assert not failed(KernelState.RESTARTING, not_run=True)
    # The agent knows it a moment before the record.
    assert failed(KernelState.LAUNCHING, not_run=False, link=link("dead"))
    assert not failed(KernelState.RUNNING, not_run=False, link=link("dead"))
    assert not failed(KernelState.DEAD, not_run=True, link=link("running"))


def test_a_gateway_of_the_version_before_does_not_say() -> None:
    assert kernel_model(replace(RECORD, launch_status=None), None, RULES)["launch"] is None


def test_who_has_waited_long_enough_is_told_what_the_kernel_waits_for() -> None:
    refusal = still_launching(RECORD, None)
    assert (refusal.status, refusal.body["kernel_id"]) == (503, "k")
    assert "(scheduling: no room)" in refusal.message
    assert refusal.headers["Retry-After"] == "1"
    assert "(" not in still_launching(replace(RECORD, launch_status=None), None).message


@pytest.mark.parametrize(
    ("process", "walls"),
    [(None, None), ({"walls": "landlock"}, "landlock"), ({"walls": ""}, None), ({"pid": 7}, None)],
)
def test_a_model_says_what_keeps_its_kernel_apart(process: Any, walls: str | None) -> None:
    record = replace(sample_record(KernelState.RUNNING, epoch=1, now=NOW), process=process)
    assert kernel_model(record, None, RULES)["walls"] == walls


@pytest.mark.parametrize(
    ("process", "network"),
    [(None, None), ({"network": "none"}, "none"), ({"network": ""}, None), ({"pid": 7}, None)],
)
def test_a_model_says_what_its_kernel_reaches(process: Any, network: str | None) -> None:
    record = replace(sample_record(KernelState.RUNNING, epoch=1, now=NOW), process=process)
    assert kernel_model(record, None, RULES)["network"] == network


@pytest.mark.parametrize(
    ("recorded", "said", "network", "why"),
    [
        ("internet", {"reach": "none", "why": "no route"}, "none", "no route"),
        ("internet", {"reach": "internet", "why": ""}, "internet", ""),
        # Older agents do not say it, and kernels of other machines have none of their own.
        ("internet", None, "internet", ""),
        ("host", None, "host", ""),
        ("internet", {"reach": "everything"}, "internet", ""),
        ("internet", 7, "internet", ""),
    ],
)
def test_a_model_says_what_the_process_of_now_reaches(
    recorded: str, said: Any, network: str, why: str
) -> None:
    record = sample_record(KernelState.RUNNING, epoch=1, now=NOW)
    record = replace(record, process={"network": recorded})
    link = AgentLink(record, {"network": said}, *(lambda *_: None,) * 5, logging.getLogger())
    model = kernel_model(record, link, RULES)
    assert (model["network"], model["network_why"]) == (network, why)
