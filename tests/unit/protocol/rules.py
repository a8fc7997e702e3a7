"""Whatever happens, in any order: the fleet as hypothesis drives it."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.unit.protocol.fleet import Fleet
from tests.unit.protocol.weakened import Weakened

_GOOD = (
    "connect",
    "agent_opens",
    "agent_takes",
    "stock_exchanges",
    "kernel_steps",
    "agent_sends",
    "page_reads",
    "page_shows",
)
"""What goes on as long as nothing fails. Most counterexamples need several rounds of it in a row,
and some that one of them lags behind."""
_KERNEL = ("kernel_dies", "kernel_started", "kernel_started", "agent_lost")


class Rules(RuleBasedStateMachine):
    """One test's fleet."""

    weakened: Weakened | None = None

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet(self.weakened)

    @rule(name=st.sampled_from(_GOOD))
    def step(self, name: str) -> None:
        getattr(self.fleet, name)()

    @rule(rounds=st.integers(1, 8), lagging=st.sampled_from(_GOOD), prompt=st.integers(0, 8))
    def goes_well(self, rounds: int, lagging: str, prompt: int) -> None:
        """One of them lags behind after some `prompt` rounds."""
        for number in range(rounds):
            for name in _GOOD:
                if name != lagging or number < prompt:
                    getattr(self.fleet, name)()

    @rule()
    def run_cell(self) -> None:
        self.fleet.run_cell()

    @rule()
    def save(self) -> None:
        self.fleet.save()

    @rule()
    def reload(self) -> None:
        self.fleet.reload()

    @rule(name=st.sampled_from(["press_restart", "restart_arrives"]))
    def restart(self, name: str) -> None:
        getattr(self.fleet, name)()

    @rule(with_cell=st.booleans())
    def stock_client(self, with_cell: bool) -> None:
        self.fleet.stock_runs(with_cell=with_cell)

    @rule(
        name=st.sampled_from(["cut", "half_open", "agent_takes_late", "lab_redials"]),
        forgotten=st.booleans(),
    )
    def network(self, name: str, forgotten: bool) -> None:
        getattr(self.fleet, name)()
        if forgotten:
            self.fleet.agent_forgets()

    @rule(name=st.sampled_from(_KERNEL))
    def kernel(self, name: str) -> None:
        getattr(self.fleet, name)()

    @invariant()
    def holds(self) -> None:
        self.fleet.check()

    def teardown(self) -> None:
        self.fleet.settle()


def search(*, runs: int, steps: int, derandomize: bool, weakened: Weakened | None = None) -> None:
    """Raises AssertionError, with what has happened, if something does not hold. `derandomize`: the
    same runs each time."""

    class Machine(Rules):
        pass

    Machine.weakened = weakened
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=derandomize,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
