"""Limits of the number of kernels on SQLite and MariaDB."""

import asyncio

import pytest

from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.start_limits import LimitReached, Limits
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.ownership.new_kernels import KEY, new_kernel


def test_limits_hold_while_all_gateways_start_kernels(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        gateways = [KernelRecords(database, box, f"gateway-{number}") for number in range(8)]
        limits = Limits(kernels=5, kernels_per_user=3)
        starts = [
            each.insert_launching(new_kernel(username=user), KEY, limits)
            for user in ("ada", "bob")
            for each in gateways
        ]
        results = await asyncio.gather(*starts, return_exceptions=True)
        refused = [result for result in results if isinstance(result, LimitReached)]
        assert len(refused) == len(results) - 5
        kernels = await gateways[0].list_kernels()
        by_user = {user: [k for k in kernels if k.username == user] for user in ("ada", "bob")}
        assert sorted(len(found) for found in by_user.values()) == [2, 3]
        # The same id again is no kernel more; one that ended makes room for one, and only one.
        again = new_kernel(kernel_id=kernels[0].kernel_id, username=kernels[0].username)
        assert await gateways[3].insert_launching(again, KEY, limits) is None
        assert await gateways[2].set_dead(kernels[0].kernel_id, kernels[0].epoch, "over")
        dead = await gateways[2].get(kernels[0].kernel_id)
        assert dead is not None
        assert await gateways[2].launch_again(dead, KEY, "ada", limits)
        assert await gateways[2].delete(kernels[1].kernel_id, "ada")
        assert await gateways[2].insert_launching(new_kernel(username="eve"), KEY, limits)
        with pytest.raises(LimitReached, match="no more than 5"):
            await gateways[2].insert_launching(new_kernel(username="eve"), KEY, limits)
        one_each = Limits(kernels_per_user=1)
        with pytest.raises(
            LimitReached, match="eve has 1 kernel, and the limit for each user is 1"
        ):
            await gateways[2].insert_launching(new_kernel(username="eve"), KEY, one_each)
        with pytest.raises(LimitReached, match="bob has"):
            await gateways[2].insert_launching(
                new_kernel(username="bob"), KEY, Limits(kernels_per_user=0)
            )

    asyncio.run(run())
