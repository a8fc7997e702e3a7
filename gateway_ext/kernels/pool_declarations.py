"""The pools that a kernelspec asks for, in `metadata.fleet.pool`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_NAMES = frozenset({"size", "launch_options"})


class PoolDeclarationError(ValueError):
    """The kernelspec's pools cannot be used; the text says what to change."""


@dataclass(frozen=True)
class DeclaredPool:
    """So many kernels are to wait that were started with these launch options."""

    size: int
    launch_options: Mapping[str, Any] = field(default_factory=dict)


def declared_pools(metadata: Mapping[str, Any]) -> list[DeclaredPool]:
    """The pools of a kernelspec with this `metadata`: one object, or a list of them with different
    launch options. Raises PoolDeclarationError."""
    fleet = metadata.get("fleet")
    declared = fleet.get("pool") if isinstance(fleet, Mapping) else None
    if declared is None:
        return []
    pools = declared if isinstance(declared, list) else [declared]
    return [_pool(pool) for pool in pools]


def _pool(declared: Any) -> DeclaredPool:
    if not isinstance(declared, Mapping):
        raise PoolDeclarationError(
            f'metadata.fleet.pool must be an object such as {{"size": 2}}, not {declared!r}'
        )
    for name in declared:
        if name not in _NAMES:
            raise PoolDeclarationError(
                f"metadata.fleet.pool has size and launch_options, but no {name!r}"
            )
    size, options = declared.get("size"), declared.get("launch_options", {})
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise PoolDeclarationError(f"metadata.fleet.pool.size must be a number from 0: {size!r}")
    if not isinstance(options, Mapping):
        raise PoolDeclarationError("metadata.fleet.pool.launch_options must be an object")
    return DeclaredPool(size, dict(options))
