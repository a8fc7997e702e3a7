"""Silent agents, as records and models tell of them."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway_ext.kernels.kernel_model import kernel_model
from gateway_ext.ownership.culling import CullRules
from gateway_ext.ownership.silence import Silence, present_silence, stored_silence
from gateway_ext.ownership.states import KernelState
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime.now(UTC)
SILENCE = Silence(7, NOW - timedelta(seconds=12.5))
RECORD = sample_record(kernel_id="id", connections=3, silence=SILENCE, now=NOW)
RULES = CullRules(60.0, True, True, 0.0, NOW)


class Link:
    """The link of an agent that has come back."""

    process, execution_state, reason = "running", "busy", ""
    last_activity, connections = NOW, 1
    network, network_why = None, ""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch


@pytest.mark.parametrize("restart_by", [None, "", "ada"])
def test_what_is_stored_is_read(restart_by: str | None) -> None:
    silence = replace(SILENCE, words="its node is gone", restart_by=restart_by)
    assert stored_silence(silence.stored()) == silence


@pytest.mark.parametrize("column", [None, {}, [], {"epoch": "x"}, {"epoch": 1, "since": "soon"}])
def test_what_cannot_be_read_is_no_silence(column: Any) -> None:
    assert stored_silence(column) is None


def test_the_reason_says_for_how_long_and_what_the_cluster_says() -> None:
    assert SILENCE.reason(NOW) == "its agent has been silent for 12 s"
    assert SILENCE.reason(NOW - timedelta(hours=1)) == "its agent has been silent for 0 s"
    told = replace(SILENCE, words="NotReady", restart_by="ada")
    assert told.reason(NOW) == (
        "its agent has been silent for 12 s: NotReady; it is started again as soon as it is "
        "certain that the old one has ended"
    )


ASKED = replace(SILENCE, restart_by="ada")


@pytest.mark.parametrize(
    ("silence", "state", "owner", "epoch", "present"),
    [
        (SILENCE, KernelState.RUNNING, "a", 7, True),
        (SILENCE, KernelState.RESTARTING, None, 7, True),
        # The agent has come back, to a gateway that may be of the version before.
        (SILENCE, KernelState.RUNNING, "a", 8, False),
        (SILENCE, KernelState.LAUNCHING, "a", 7, False),
        (SILENCE, KernelState.DEAD, None, 8, False),
        (SILENCE, KernelState.DELETED, "a", 7, False),
        (ASKED, KernelState.RESTARTING, "a", 7, True),
        (ASKED, KernelState.DEAD, None, 8, True),
        (ASKED, KernelState.DEAD, "a", 8, False),
        # It was launched again meanwhile, and is dead again.
        (ASKED, KernelState.DEAD, None, 10, False),
        (ASKED, KernelState.LAUNCHING, "a", 9, False),
        (None, KernelState.RUNNING, "a", 7, False),
    ],
)
def test_a_silence_ends_with_its_epoch(
    silence: Silence | None, state: KernelState, owner: str | None, epoch: int, present: bool
) -> None:
    assert present_silence(silence, state, owner, epoch) == (silence if present else None)


def test_a_model_says_that_a_kernel_is_unreachable_and_why() -> None:
    model = kernel_model(RECORD, None, RULES)
    assert (model["state"], model["execution_state"]) == ("unreachable", "unknown")
    [seconds] = re.findall(r"^its agent has been silent for (\d+) s", model["reason"])
    assert int(seconds) >= 10
    assert (model["connections"], model["cull_at"], model["launch"]) == (0, None, None)
    assert kernel_model(replace(RECORD, silence=None), None, RULES)["state"] == "running"


def test_a_model_of_an_agent_that_is_connected_here_is_the_agent_s() -> None:
    back: Any = Link(8)
    assert kernel_model(RECORD, back, RULES)["execution_state"] == "busy"
    assert kernel_model(RECORD, back, RULES)["state"] == "running"
    older: Any = Link(6)
    assert kernel_model(RECORD, older, RULES)["state"] == "unreachable"


def test_a_dead_kernel_whose_restart_waits_is_dead() -> None:
    dead = replace(RECORD, state=KernelState.DEAD, owner=None, silence=ASKED, reason="it ended")
    model = kernel_model(dead, None, RULES)
    assert (model["state"], model["reason"]) == ("dead", "it ended")
