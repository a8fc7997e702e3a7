"""Records of kernels that are nobody's, on SQLite and MariaDB: filled, claimed and ended once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, insert, select, update

from gateway_ext.ownership.gateway_records import GatewayRecords
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.launch_status import begun_status
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.pool_plan import (
    ClaimStep,
    PoolMember,
    PoolPlan,
    WantedPool,
    left_of_claim,
    plan_pools,
)
from gateway_ext.ownership.pool_records import Begun, PoolRecords
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.start_limits import LimitReached, Limits
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import former_agent, kernel
from jupyter_ext.database.engine import Database, now_utc
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.ownership.new_kernels import KEY, new_kernel, observation

LIVING = timedelta(seconds=60)
POOL = WantedPool("shape", "python", 3, {"cpus": 2})


def fill(members: Sequence[PoolMember], now: datetime) -> PoolPlan:
    return plan_pools([POOL], members, limit=10, now=now)


class Gateway:
    """What one gateway writes."""

    def __init__(self, database: Database, box: SecretBox, name: str) -> None:
        self.records = KernelRecords(database, box, name)
        self.pools = PoolRecords(database, box, name)
        self.list = GatewayRecords(database, name)
        self.leftovers = Leftovers(database, name)

    async def ready(self, begun: Begun) -> KernelRecord:
        """The record of a started member whose agent has connected."""
        record, key = begun.record, begun.agent_key
        assert await self.records.set_process(record.kernel_id, key, {"proxy": "x", "name": "p"})
        claimed = await self.records.claim(record.kernel_id, key, record.epoch)
        assert claimed is not None
        seen = observation(record.kernel_id, claimed.epoch, KernelState.RUNNING)
        await self.records.observe([seen])
        found = await self.records.get(record.kernel_id)
        assert found is not None
        return found


@pytest.fixture
def gateways(database: Database, box: SecretBox) -> list[Gateway]:
    return [Gateway(database, box, f"gateway-{number}") for number in range(4)]


def test_gateways_that_fill_a_pool_at_once_fill_it_once(gateways: list[Gateway]) -> None:
    async def run() -> None:
        started = await asyncio.gather(*(each.pools.start(fill, LIVING) for each in gateways))
        members = [begun for of_one in started for begun in of_one]
        assert len(members) == 3
        assert {begun.launch_options["cpus"] for begun in members} == {2}
        stored = await gateways[0].records.secrets(members[0].record.kernel_id)
        assert stored is not None
        assert (stored.agent_key, stored.environment) == (members[0].agent_key, {})
        assert stored.launch_options == {"cpus": 2}
        assert members[0].record.project == members[0].record.username == ""

    asyncio.run(run())


def test_members_are_in_no_list_of_users_and_count_for_no_limit(gateways: list[Gateway]) -> None:
    async def run() -> None:
        gateway = gateways[0]
        await gateway.list.heartbeat("http://a", draining=False)
        await gateway.pools.start(fill, LIVING)
        limits = Limits(kernels=1, kernels_per_user=1)
        assert await gateway.records.insert_launching(new_kernel(), KEY, limits) is not None
        assert len(await gateway.records.list_kernels()) == 1
        [member] = await gateway.list.members(LIVING)
        assert (member.kernels, member.pooled) == (1, 3)
        # Their agents are let in all the same.
        assert len(await gateway.records.agents.ids()) == 4

    asyncio.run(run())


def test_a_member_becomes_the_kernel_that_somebody_asks_for(gateways: list[Gateway]) -> None:
    async def run() -> None:
        gateway = gateways[0]
        begun = (await gateway.pools.start(fill, LIVING))[0]
        member = await gateway.ready(begun)
        assert await gateways[1].pools.owners("shape") == {"gateway-0"}
        # Neither a kernel of another shape nor one that still starts is ready.
        assert await gateways[1].pools.owners("another shape of python") == set()
        new = new_kernel(launch_options={"cpus": 2}, shown_options={"cpus": 2})
        claimed = await gateway.pools.claim(member, new)
        assert claimed is not None
        record = claimed.record
        assert (record.kernel_id, record.launch_id) == (new.kernel_id, member.kernel_id)
        assert (record.agent_id, record.pool) == (member.kernel_id, None)
        assert (record.state, record.owner) == (KernelState.LAUNCHING, "gateway-0")
        assert record.epoch == member.epoch + 1
        assert (record.project, record.username) == ("demo", "ada")
        assert record.process == {"proxy": "x", "name": "p", "kernel_id": member.kernel_id}
        assert record.launch_options == {"cpus": 2}
        assert await gateway.records.get(member.kernel_id) is None
        stored = await gateway.records.secrets(new.kernel_id)
        assert stored is not None
        assert (stored.agent_key, stored.environment) == (begun.agent_key, new.environment)
        # The agent connects under its own id, and is that kernel's.
        agent = await gateways[1].records.agents.find(member.kernel_id)
        assert agent is not None
        assert (agent.kernel_id, agent.agent_key) == (new.kernel_id, begun.agent_key)
        assert await gateways[1].records.agents.find(new.kernel_id) is None
        assert member.kernel_id in await gateway.records.agents.ids()
        taken = await gateways[1].records.claim(agent.kernel_id, agent.agent_key, 1)
        assert taken is not None
        assert taken.epoch == record.epoch + 1

    asyncio.run(run())


def test_of_claims_of_one_member_one_succeeds(gateways: list[Gateway]) -> None:
    async def run() -> None:
        gateway = gateways[0]
        member = await gateway.ready((await gateway.pools.start(fill, LIVING))[0])
        asked = [new_kernel() for _ in range(6)]
        claims = await asyncio.gather(*(gateway.pools.claim(member, new) for new in asked))
        assert len([one for one in claims if one is not None]) == 1
        assert len(await gateway.records.list_kernels()) == 1

    asyncio.run(run())


def test_one_kernel_takes_one_member_however_often_it_is_asked_for(
    gateways: list[Gateway],
) -> None:
    async def run() -> None:
        gateway = gateways[0]
        begun = await gateway.pools.start(fill, LIVING)
        members = [await gateway.ready(one) for one in begun]
        new = new_kernel()
        claims = await asyncio.gather(*(gateway.pools.claim(one, new) for one in members))
        assert len([one for one in claims if one is not None]) == 1
        left = [await gateway.records.get(one.kernel_id) for one in members]
        assert len([one for one in left if one is not None]) == 2

    asyncio.run(run())


def test_only_its_owner_claims_a_member_and_only_as_it_was_read(gateways: list[Gateway]) -> None:
    async def run() -> None:
        gateway, other = gateways[0], gateways[1]
        begun = await gateway.pools.start(fill, LIVING)
        member = await gateway.ready(begun[0])
        assert await other.pools.claim(member, new_kernel()) is None
        # The agent has gone to the other one, which the first has not noticed.
        assert await other.records.claim(member.kernel_id, begun[0].agent_key, member.epoch)
        assert await gateway.pools.claim(member, new_kernel()) is None
        # One that still starts, or is being ended, is nobody's.
        assert await gateway.pools.claim(begun[1].record, new_kernel()) is None
        ready = await gateway.ready(begun[2])
        assert await gateway.records.delete(ready.kernel_id, "", epoch=ready.epoch)
        assert await gateway.pools.claim(ready, new_kernel()) is None

    asyncio.run(run())


def test_a_claimed_member_is_not_ended_with_its_pool(gateways: list[Gateway]) -> None:
    async def run() -> None:
        gateway = gateways[0]
        member = await gateway.ready((await gateway.pools.start(fill, LIVING))[0])
        claimed = await gateway.pools.claim(member, new_kernel())
        assert claimed is not None
        assert not await gateway.records.delete(member.kernel_id, "", epoch=member.epoch)
        found = await gateway.records.get(claimed.record.kernel_id)
        assert found is not None
        assert found.state is KernelState.LAUNCHING

    asyncio.run(run())


def test_a_claim_counts_for_the_limits_of_its_user(gateways: list[Gateway]) -> None:
    async def run() -> None:
        gateway = gateways[0]
        begun = await gateway.pools.start(fill, LIVING)
        members = [await gateway.ready(one) for one in begun[:2]]
        limits = Limits(kernels_per_user=1)
        assert await gateway.pools.claim(members[0], new_kernel(), limits)
        with pytest.raises(LimitReached):
            await gateway.pools.claim(members[1], new_kernel(), limits)
        assert await gateway.records.get(members[1].kernel_id) is not None

    asyncio.run(run())


def test_the_agent_of_a_claimed_kernel_that_is_launched_again_is_told_to_end(
    gateways: list[Gateway],
) -> None:
    async def run() -> None:
        gateway = gateways[0]
        begun = (await gateway.pools.start(fill, LIVING))[0]
        member = await gateway.ready(begun)
        claimed = await gateway.pools.claim(member, new_kernel())
        assert claimed is not None
        kernel_id = claimed.record.kernel_id
        assert await gateway.records.set_dead(kernel_id, claimed.record.epoch, "over")
        dead = await gateway.records.get(kernel_id)
        assert dead is not None
        assert await gateway.records.launch_again(dead, KEY, "ada")
        again = await gateway.records.get(kernel_id)
        assert again is not None
        assert (again.launch_id, again.agent_id) == (None, kernel_id)
        assert begun.agent_key in await gateway.records.agents.former_keys(member.kernel_id)
        agent = await gateway.records.agents.find(kernel_id)
        assert agent is not None
        assert agent.agent_key == KEY

    asyncio.run(run())


async def launch_as_the_version_before(
    database: Database, box: SecretBox, found: KernelRecord, agent_key: bytes
) -> None:
    """What a gateway writes that knows no pools when it launches a dead kernel again, and then of
    the process that it has started."""

    def transaction(connection: Connection) -> None:
        mine = kernel.c.kernel_id == found.kernel_id
        now = now_utc(connection)
        former = connection.execute(select(kernel.c.agent_key).where(mine)).scalar_one()
        connection.execute(
            insert(former_agent).values(kernel_id=found.kernel_id, agent_key=former, at=now)
        )
        connection.execute(
            update(kernel)
            .where(mine)
            .values(
                state=KernelState.LAUNCHING.value,
                owner="gateway-before",
                epoch=found.epoch + 1,
                agent_key=box.encrypt(agent_key),
                process=None,
                launch_status=begun_status(now).stored(),
                changed=now,
            )
        )
        connection.execute(
            update(kernel).where(mine).values(process={"proxy": "x", "name": "p", "launch": "l"})
        )

    await database.run(transaction)


def test_a_claimed_kernel_that_the_version_before_launches_again_has_its_new_agent(
    gateways: list[Gateway], database: Database, box: SecretBox
) -> None:
    async def run() -> None:
        gateway, other = gateways[0], gateways[1]
        begun = (await gateway.pools.start(fill, LIVING))[0]
        member = await gateway.ready(begun)
        claimed = await gateway.pools.claim(member, new_kernel())
        assert claimed is not None
        kernel_id, key = claimed.record.kernel_id, bytes(range(32))
        agents = other.records.agents
        # The agent of a kernel whose record is dead is dismissed only with the next launch.
        running = await gateway.records.claim(kernel_id, begun.agent_key, claimed.record.epoch)
        assert running is not None
        seen = observation(kernel_id, running.epoch, KernelState.RUNNING)
        await gateway.records.observe([seen])
        assert await gateway.records.set_dead(kernel_id, running.epoch, "its pod has gone")
        dead = await gateway.records.get(kernel_id)
        assert dead is not None
        assert dead.launch_id == member.kernel_id
        await launch_as_the_version_before(database, box, dead, key)

        again = await other.records.get(kernel_id)
        assert again is not None
        assert (again.launch_id, again.agent_id) == (None, kernel_id)
        agent = await agents.find(kernel_id)
        assert agent is not None
        assert (agent.kernel_id, agent.agent_key) == (kernel_id, key)
        assert kernel_id in await agents.ids()

        async def check_former() -> None:
            assert await agents.find(member.kernel_id) is None
            assert begun.agent_key in await agents.former_keys(member.kernel_id)

        await check_former()
        taken = await other.records.claim(kernel_id, key, again.epoch)
        assert taken is not None
        # What this gateway writes of the process later does not bring the old agent back.
        labeled = {"proxy": "x", "name": "p", "launch": "l", "kernel_id": kernel_id}
        assert await other.records.set_process(kernel_id, key, labeled)
        agent = await agents.find(kernel_id)
        assert agent is not None
        assert agent.agent_key == key
        assert taken.launch_id is None
        await check_former()

    asyncio.run(run())


def test_a_member_that_the_version_before_went_on_with_is_claimed_under_its_own_id(
    gateways: list[Gateway],
) -> None:
    async def run() -> None:
        gateway = gateways[0]
        begun = (await gateway.pools.start(fill, LIVING))[0]
        # Its names of a process lack whose the labels are.
        member = await gateway.ready(begun)
        assert member.process == {"proxy": "x", "name": "p"}
        claimed = await gateway.pools.claim(member, new_kernel())
        assert claimed is not None
        left = left_of_claim(claimed.record, agent_waits=True)
        assert left == [ClaimStep.TELL_AGENT, ClaimStep.LABEL]
        agent = await gateway.records.agents.find(member.kernel_id)
        assert agent is not None
        assert agent.kernel_id == claimed.record.kernel_id

    asyncio.run(run())


def test_members_of_a_gateway_that_has_ended_belong_to_every_other(
    gateways: list[Gateway],
) -> None:
    async def run() -> None:
        gateway, other = gateways[0], gateways[1]
        await gateway.list.heartbeat("http://a", draining=False)
        await other.list.heartbeat("http://b", draining=False)
        await gateway.pools.start(fill, LIVING)

        async def ended_by(each: Gateway) -> int:
            def none(members: Sequence[PoolMember], now: datetime) -> PoolPlan:
                return plan_pools([], members, limit=10, now=now)

            return len((await each.pools.plan(none, LIVING)).end)

        assert (await ended_by(gateway), await ended_by(other)) == (3, 0)
        await gateway.list.leave()
        assert await ended_by(other) == 3

    asyncio.run(run())
