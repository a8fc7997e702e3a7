"""What kernelspecs may say of their pools."""

from typing import Any

import pytest

from gateway_ext.kernels.pool_declarations import (
    DeclaredPool,
    PoolDeclarationError,
    declared_pools,
)


def test_a_kernelspec_declares_one_pool_several_or_none() -> None:
    def declared(pool: Any) -> list[DeclaredPool]:
        return declared_pools({"fleet": {"pool": pool}})

    assert declared_pools({}) == declared_pools({"fleet": {}}) == []
    assert declared({"size": 2}) == [DeclaredPool(2)]
    assert declared([{"size": 1}, {"size": 3, "launch_options": {"cpus": 2}}]) == [
        DeclaredPool(1),
        DeclaredPool(3, {"cpus": 2}),
    ]


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (2, "must be an object"),
        ({"size": -1}, "a number from 0"),
        ({"size": True}, "a number from 0"),
        ({}, "a number from 0"),
        ({"size": 1, "count": 1}, "no 'count'"),
        ({"size": 1, "launch_options": []}, "must be an object"),
    ],
)
def test_a_wrong_declaration_says_what_to_change(pool: Any, message: str) -> None:
    with pytest.raises(PoolDeclarationError, match=message):
        declared_pools({"fleet": {"pool": pool}})
