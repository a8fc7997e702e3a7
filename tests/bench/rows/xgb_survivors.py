"""How soon the survivors are back when one of N workers is killed, or frozen.

From the signal until all members of the next world are connected with each other: the survivors,
with the rows of the lost one among them. Side figures: milliseconds until all had come out of the
round that broke and their newest state was at the driver; until all began the next round, when the
lost rows have their matrix again; rounds lost. Each measurement is a training of its own, small, so
that what is seen is not the time of a round; those of a round share one Ray.
"""

from tests.bench.bars import Bar
from tests.bench.bench import Bench, Measure
from tests.bench.table import Table
from tests.bench.xgb import process

OURS, BAR = "ours", "promised"
HEARTBEAT_SECONDS = 4.0
ROWS = 40_000


def bars(table: Table) -> list[Bar]:
    """What was promised: 100 ms, and a second above the heartbeat."""
    return [Bar(line, BAR, at_most=1) for line in table.lines]


def run(bench: Bench) -> Table:
    """The table, or one that says why there is none."""
    legend = "median ms (lowest..highest), side figures: out of the round ms, next round ms, lost"
    title = f"Survivors back, {ROWS} x 50"
    table = Table(title, [OURS, BAR], OURS, legend, shows_highest=True)
    folder = str(bench.directory / "dense")

    frozen = 1000 * (HEARTBEAT_SECONDS + 1)
    faults = [("SIGKILL", n, 100.0) for n in range(2, 9)] + [("SIGSTOP", 3, frozen)]
    seen: dict[str, float] = {}

    def measure(how: str, workers: int) -> Measure:
        def act() -> tuple[float, dict[str, float]]:
            if (how, workers) == faults[0][:2]:
                wanted = [fault[:2] for fault in faults]
                heartbeat = HEARTBEAT_SECONDS
                seen.update(
                    process.run("survivors", folder=folder, faults=wanted, heartbeat=heartbeat)
                )

            def figure(name: str) -> float:
                return seen[f"{how} {workers} {name}"]

            if figure("survivors") != workers - 1:
                raise RuntimeError(f"{figure('survivors')} of {workers - 1} survivors came back")
            return figure("ms"), {n: figure(n) for n in ("back_ms", "next_round_ms", "rounds_lost")}

        return act

    def promised(milliseconds: float) -> Measure:
        return lambda: (milliseconds, {})

    try:
        process.run("make_dense", folder=folder, rows=ROWS)
    except process.Missing as error:
        table.absent[OURS] = str(error)
        return table
    lines = {
        f"{how}, {n} workers": {OURS: measure(how, n), BAR: promised(most)}
        for how, n, most in faults
    }
    bench.interleave(table, lines, warm_up=False)
    return table
