"""What a launch may have left in a cluster, and what it says while the cluster owes an answer."""

import contextlib
import logging
import time
from typing import Any

import pytest

from gateway_ext.process_proxies import cluster_agent
from gateway_ext.process_proxies.agent_process import AgentLife, LaunchFailed
from gateway_ext.process_proxies.cluster_agent import ClusterAgentProxy
from gateway_ext.process_proxies.cluster_calls import (
    ClusterRefused,
    ClusterSilent,
    CredentialsRefused,
    NoCluster,
)
from gateway_ext.process_proxies.sighting import Patience, unknown


class Launch(ClusterAgentProxy):
    """One that was planned, whose cluster is the test's."""

    def __init__(self) -> None:
        self.may_be_there = False
        self._unanswered = False
        self._owed_since = None
        self._seen = unknown("")
        self.log = logging.getLogger("launches")
        self._patience = Patience(0.0)
        self._obstacle = ""
        self.kernel_id = "k"
        self.removals = 0
        self.problem: Exception | None = None

    async def submit(self, *_: Any) -> None:
        await answer(self.problem)

    async def see(self) -> Any:
        await answer(self.problem)

    async def remove(self, *, as_seen: bool) -> bool:
        self.removals += 1
        return True

    async def output(self) -> str:
        return ""

    @property
    def who_answers(self) -> str:
        return "the API server at https://c:6443"


async def answer(error: Exception | None) -> str:
    if error is not None:
        raise error
    return "made"


FORBIDDEN = ClusterRefused(403, "Forbidden", "no rights")
LOST = ClusterSilent("the connection was lost")


@pytest.mark.parametrize(
    ("answers", "may_be_there"),
    [
        ([FORBIDDEN], False),
        ([ClusterRefused(404, "", "404 page not found")], False),
        ([ClusterRefused(409, "Conflict", "quota")], False),
        ([ClusterRefused(422, "Invalid", "spec")], False),
        ([CredentialsRefused("401")], False),
        ([ClusterSilent("not sent", unmade=True), FORBIDDEN], False),
        ([None], True),
        ([LOST], True),
        # What the first call may have made is looked for.
        ([LOST, FORBIDDEN], True),
        ([LOST, CredentialsRefused("401")], True),
        ([LOST, ClusterRefused(409, "AlreadyExists", "there is one")], True),
        ([LOST, None], True),
        ([None, FORBIDDEN], True),
        ([ClusterRefused(409, "AlreadyExists", "there is one")], True),
    ],
)
async def test_only_a_launch_of_which_every_call_was_refused_has_nothing_to_be_removed(
    answers: list[Exception | None], may_be_there: bool
) -> None:
    launch = Launch()
    for one in answers:
        with contextlib.suppress(ClusterRefused, ClusterSilent):
            assert await launch.making(answer(one)) == "made"
    assert launch.made_nothing is not may_be_there
    # What a call that was not answered asks for may be made after nothing was found.
    assert await launch.end() is (LOST not in answers)
    assert launch.removals == may_be_there


async def test_a_launch_says_for_how_long_the_cluster_has_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launch, now = Launch(), time.monotonic()

    async def slow() -> list[str]:
        said = []
        for seconds in (0.0, 2.9, 3.0, 7.0):
            monkeypatch.setattr(cluster_agent.time, "monotonic", lambda s=seconds: now + s)
            said.append(launch.progress[1])
        return said

    monkeypatch.setattr(cluster_agent.time, "monotonic", lambda: now)
    server = "the API server at https://c:6443"
    words = [f"{server} has not answered for {seconds} s" for seconds in (3, 6)]
    assert await launch.making(slow()) == ["", "", *words]
    assert launch.progress[1] == ""


async def test_a_launch_that_waits_ends_like_a_new_one_where_no_cluster_is_configured() -> None:
    launch = Launch()
    launch.problem = NoCluster("no cluster: `jupyter fleet up --kubeconfig FILE` names one")
    with pytest.raises(LaunchFailed) as new:
        await launch.start_agent(None, None, {})  # type: ignore[arg-type]
    assert await launch.look() is AgentLife.UNKNOWN
    # As `LaunchWatch` says it.
    assert str(new.value) == f"the kernel cannot start: {launch.obstacle}"
    assert launch.obstacle == str(launch.problem)
    # What its record says is not kept for ever for a cluster that nobody can ask.
    assert launch.denied
    launch.problem = ClusterSilent("away")
    await launch.look()
    assert (launch.obstacle, launch.denied) == ("", False)


async def test_users_are_told_no_addresses_and_the_log_is(caplog: pytest.LogCaptureFixture) -> None:
    launch = Launch()
    text = "the API server at https://c:6443 does not answer: HTTPSConnection(host='c')"
    launch.problem = ClusterSilent(text, words="the API server does not answer")
    await launch.look()
    assert launch.progress[1] == "the API server does not answer"
    with pytest.raises(ClusterSilent):
        await launch.making(answer(launch.problem))
    launch.note("")
    with pytest.raises(ClusterSilent):
        await launch.making(answer(launch.problem))
    assert caplog.text.count(text) == 2
    with pytest.raises(LaunchFailed, match=r"start kernels: the API server does not answer$"):
        await launch.start_agent(None, None, {})  # type: ignore[arg-type]
