"""Finishing claims: problems that pass, and many kernels that are claimed at once."""

import asyncio
import logging
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.lifecycle.kernel_care import GatewayKernels
from gateway_ext.kernels.lifecycle.pool_claims import FIRST_PAUSE, LONGEST_PAUSE, PoolClaims
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.new_kernel import Secrets
from gateway_ext.ownership.states import KernelState
from gateway_ext.process_proxies.back_off import BackOff
from gateway_ext.process_proxies.cluster_calls import ClusterRefused, ClusterSilent
from tests.unit.gateway_ext.sample_record import sample_record

LOG = logging.getLogger("test")


class Links(dict[str, Any]):
    """The agents that are connected here, by kernel."""

    def __iter__(self) -> Any:
        return iter(list(self.values()))


class Claims:
    """What claims need: `agents` that are connected here, and a cluster that is asked to label
    their pods and answers with `problem`."""

    name = "a"

    def __init__(self, agents: int, *, must_learn: bool = False) -> None:
        self.problem: Exception | None = None
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.links = Links({f"k{n}": self._link(f"k{n}", must_learn) for n in range(agents)})
        self.processes = self
        kernels: Any = self
        links: Any = self.links
        self.claims = PoolClaims(
            GatewayKernels(kernels, kernels, links, LOG),
            pools=kernels,
            shapes=kernels,
            settings=kernels,
            on_claim=lambda: None,
        )
        self.now = 0.0
        self.claims._pauses = BackOff(FIRST_PAUSE, LONGEST_PAUSE, lambda: self.now)

    def _link(self, kernel_id: str, must_learn: bool) -> AgentLink:
        record = sample_record(
            KernelState.LAUNCHING if must_learn else KernelState.RUNNING,
            kernel_id=kernel_id,
            launch_id="member",
            process={"proxy": "x", "kernel_id": "member"},
        )

        def ignore(*_: Any) -> Any:
            return None

        return AgentLink(
            record, {"pooled": must_learn}, ignore, ignore, ignore, ignore, ignore, LOG
        )

    def __contains__(self, kernel_id: str) -> bool:
        return True

    async def secrets(self, kernel_id: str) -> Any:
        return Secrets(b"k", {}, {})

    async def set_process(self, *_: Any) -> bool:
        return True

    async def kernelspec(self, name: str) -> Any:
        await self._counted()
        raise Refusal(500, "it is being written")

    def overdue(self, record: Any) -> str:
        return ""

    def proxy_of(self, record: Any) -> Any:
        async def belong_to(kernel_id: str, project: str) -> bool:
            self.asked.append(kernel_id)
            await self._counted()
            if self.problem is not None:
                raise self.problem
            return True

        return SimpleNamespace(
            belong_to=belong_to, get_process_info=lambda: {"kernel_id": record.kernel_id}
        )

    async def _counted(self) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        self.at_once -= 1


def refused(kernel_id: str = "k0") -> ClusterRefused:
    return ClusterRefused(403, "Forbidden", f'pods "{kernel_id}" is forbidden: cannot patch')


async def test_labels_that_the_cluster_refuses_are_tried_more_and_more_rarely() -> None:
    fleet = Claims(1)
    fleet.problem = refused()
    tries: list[float] = []
    while fleet.now < 3600:
        before = len(fleet.asked)
        await fleet.claims.finish()
        tries += [fleet.now] * (len(fleet.asked) - before)
        fleet.now += 2
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses[:4] == [8, 16, 32, 64]
    assert pauses[-1] == LONGEST_PAUSE
    fleet.problem, fleet.now = None, fleet.now + LONGEST_PAUSE
    await fleet.claims.finish()
    assert fleet.links["k0"].record.process["kernel_id"] == "k0"
    asked = len(fleet.asked)
    await fleet.claims.finish()
    assert len(fleet.asked) == asked


async def test_a_kernel_that_was_deleted_at_once_is_not_said_to_have_another_pod(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fleet = Claims(1)

    async def no_secrets(kernel_id: str) -> None:
        return None

    fleet.secrets = no_secrets  # type: ignore[method-assign]
    caplog.set_level(logging.INFO)
    await fleet.claims.finish()
    said = [record for record in caplog.records if "k0" in record.getMessage()]
    assert [record.levelname for record in said] == ["INFO"]
    assert "was deleted" in said[0].getMessage()


async def test_the_log_says_once_why_pods_keep_the_labels_of_the_pool(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fleet = Claims(30)
    for _ in range(3):
        for problem in (refused("p1"), refused("p2"), ClusterSilent("it does not answer")):
            fleet.problem = problem
            await fleet.claims.finish()
            fleet.now += LONGEST_PAUSE
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [("right to patch pods" in words, "not answer" in words) for words in said][:2] == [
        (True, False),
        (False, True),
    ]
    assert len(said) <= 6


@pytest.mark.parametrize("must_learn", [False, True])
async def test_agents_that_all_connect_at_once_are_served_a_few_at_a_time(
    must_learn: bool,
) -> None:
    fleet = Claims(100, must_learn=must_learn)
    for link in fleet.links:
        fleet.claims.connected(link)
    await asyncio.gather(*fleet.claims._background._tasks)
    assert 1 < fleet.most_at_once <= 8


async def test_a_claim_that_cannot_be_finished_holds_up_no_other() -> None:
    def link(kernel_id: str) -> Any:
        record = SimpleNamespace(
            kernel_id=kernel_id, pool=None, launch_id="l", process={"kernel_id": "another"}
        )
        return SimpleNamespace(kernel_id=kernel_id, record=record, must_learn_claim=False)

    answers = asyncio.Event()
    finished: list[str] = []

    async def finish(link: Any) -> None:
        if link.kernel_id == "broken":
            raise KeyError("metadata")
        if link.kernel_id == "slow":
            await answers.wait()
        finished.append(link.kernel_id)
        answers.set()

    claims: Any = SimpleNamespace(
        _links=[link("broken"), link("slow"), link("quick")],
        _finish=finish,
        _log=LOG,
        _unlabeled={},
    )
    await asyncio.wait_for(PoolClaims.finish(claims), 10)
    assert finished == ["quick", "slow"]
