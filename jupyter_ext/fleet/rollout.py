"""Which programs `up` starts, replaces and stops, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

ORDER = ("store", "gateway-", "lab-", "front")
"""Those that others need come first."""


@dataclass(frozen=True)
class Rollout:
    """The names of the programs to start, replace and stop."""

    start: tuple[str, ...]
    """These do not run yet. They are started side by side."""
    replace: tuple[str, ...]
    """These run with an old configuration or build. They are replaced one after the other, each
    when the previous one answers."""
    stop: tuple[str, ...]
    """These are no longer wanted. They are stopped last, when nothing refers to them."""


def rollout(
    wanted: Mapping[str, str], running: Mapping[str, str | None], answering: Collection[str]
) -> Rollout:
    """Compare what is wanted with what runs, both as a digest by name (`Program.runs`).

    ``running`` has None for a process that was started in an unknown way: it is replaced.
    Processes that do not answer (all but ``answering``) are replaced first. If gateways are added,
    labs are replaced before the old gateways, because labs learn of the new ones only then.
    """
    changed = [name for name in wanted if name in running and running[name] != wanted[name]]
    more_gateways = any(_is_gateway(name) and name not in running for name in wanted)

    def turn(name: str) -> tuple[object, ...]:
        return name in answering, more_gateways and _is_gateway(name), *_place(name)

    return Rollout(
        start=tuple(sorted((name for name in wanted if name not in running), key=_place)),
        replace=tuple(sorted(changed, key=turn)),
        stop=tuple(sorted((name for name in running if name not in wanted), key=_place)),
    )


def _is_gateway(name: str) -> bool:
    return name.startswith("gateway-")


def _place(name: str) -> tuple[int, int, str]:
    kind = next((n for n, prefix in enumerate(ORDER) if name.startswith(prefix)), len(ORDER))
    # lab-2 before lab-10.
    return kind, len(name), name
