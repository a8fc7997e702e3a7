"""A fleet of scripted gateways and one real agent for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.agent.scripted_gateway import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Nothing is started yet; what the test starts is ended."""
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.stop()
