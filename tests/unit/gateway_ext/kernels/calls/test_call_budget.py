"""How many calls a kernel may make."""

from gateway_ext.kernels.calls.call_budget import BURST, CallBudget


def taken(budget: CallBudget, now: float, tries: int = 1000) -> int:
    return sum(budget.take(now) for _ in range(tries))


def test_a_burst_and_then_the_rate() -> None:
    budget = CallBudget(10)
    assert taken(budget, 100.0) == BURST
    assert taken(budget, 100.05) == 0
    assert taken(budget, 100.5) == 5
    assert taken(budget, 1000.0) == BURST


def test_it_is_whole_again_after_a_quiet_time_without_open_calls() -> None:
    budget = CallBudget(10)
    assert budget.is_whole(100.0)
    budget.take(100.0)
    assert not budget.is_whole(100.05)
    assert budget.is_whole(100.2)
    budget.unanswered = 1
    assert not budget.is_whole(200.0)
