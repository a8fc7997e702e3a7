"""Whether what was promised is kept, and what is said of it."""

import sys
from types import SimpleNamespace

import pytest

from tests.bench import __main__ as program
from tests.bench.bars import Bar, Limit, show_bars
from tests.bench.table import Table


def table(ours: list[float], peer: list[float], dialogs: list[float] | None = None) -> Table:
    made = Table("a table", ["ours", "peer"], "ours")
    for number, milliseconds in enumerate(ours):
        figures = {} if dialogs is None else {"dialogs": dialogs[number]}
        made.cell("a cell", "ours").add(milliseconds, **figures)
    for milliseconds in peer:
        made.cell("a cell", "peer").add(milliseconds)
    return made


@pytest.mark.parametrize(
    ("limit", "met"),
    [
        (Limit("a cell", 20), True),
        (Limit("a cell", 19), False),
        (Limit("a cell", 30, every_round=True), True),
        (Limit("a cell", 29, every_round=True), False),
        (Limit("a cell", 1, figure="dialogs"), True),
        (Limit("a cell", 0, figure="dialogs", every_round=True), False),
        (Limit("another cell", 10**6), False),
        (Limit("a cell", 10**6, figure="unknown"), False),
    ],
)
def test_a_limit_is_met_by_the_median_or_by_every_round(limit: Limit, met: bool) -> None:
    [judged] = show_bars(table([10, 20, 30], [], [0, 0, 1]), [limit])
    assert judged.met is met
    assert judged.text.endswith(": met" if met else ": NOT met")


def test_a_round_that_never_ended_breaks_a_limit() -> None:
    [judged] = show_bars(table([float("inf"), 1, float("inf")], []), [Limit("a cell", 100)])
    assert judged.met is False


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar("a cell", "peer", at_least=2), True),
        (Bar("a cell", "peer", at_least=2.1), False),
        (Bar("a cell", "peer", at_most=0.5), True),
        (Bar("a cell", "peer", at_most=0.4), False),
        (Bar("a cell", "nobody", at_most=0.4), None),
    ],
)
def test_a_bar_compares_with_a_peer_that_was_measured(bar: Bar, met: bool | None) -> None:
    [judged] = show_bars(table([10, 10], [20, 20]), [bar])
    assert judged.met is met


@pytest.mark.parametrize(("most", "code"), [(20, 0), (19, 1)])
def test_the_bench_fails_if_a_limit_is_not_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], most: int, code: int
) -> None:
    row = SimpleNamespace(
        run=lambda bench: table([10, 20, 30], []), bars=lambda table: [Limit("a cell", most)]
    )
    monkeypatch.setattr(program, "importlib", SimpleNamespace(import_module=lambda name: row))
    monkeypatch.setattr(sys, "argv", ["bench", "printing"])
    assert program.main() == code
    assert ("NOT met" in capsys.readouterr().out) is bool(code)
