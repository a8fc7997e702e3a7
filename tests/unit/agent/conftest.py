"""A kernel's folder, and a network for it, on machines that allow them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_ext.agent.orphans import PR_SET_CHILD_SUBREAPER, adopt_orphans
from gateway_ext.agent.walls.network import Network, Reach
from gateway_ext.agent.walls.probe import why_not

_REFUSED: list[str] = []
"""Once it was tried: why this machine allows no walls, empty if it does."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """The folder. As agents are, we are the parent of what loses its own."""
    folder = tmp_path / "k" / "mine"
    folder.mkdir(parents=True)
    adopt_orphans()
    try:
        if not _REFUSED:
            _REFUSED.append(why_not(folder))
        if _REFUSED[0]:
            pytest.skip(_REFUSED[0])
        yield folder
    finally:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def with_a_way(own: Path) -> Network:
    """A network with a way to the internet."""
    network = Network(Reach.INTERNET)
    if reason := why_not(own, network):
        pytest.skip(reason)
    return network
