"""How long a cell waits when the gateway that owns its kernel ends, is killed or is frozen.

A page is open at another gateway; the signal goes to the owner and the cell to the kernel in the
same moment. Stock Enterprise Gateway has nothing to compare with: its kernels end with it, or
need a new connection and lose what they said meanwhile.
"""

import signal

from tests.bench.bench import Bench, Measure, milliseconds_of
from tests.bench.table import Table
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, wait_until
from tests.servers.short_folder import short_folder

OURS = "ours"
PING_TIMEOUT = 5.0
SIGNALS = {
    "SIGTERM of the owner": signal.SIGTERM,
    "kill -9 of the owner": signal.SIGKILL,
    f"SIGSTOP of the owner (ping time-out {PING_TIMEOUT:g} s)": signal.SIGSTOP,
}


def run(bench: Bench) -> Table:
    """Three gateways, one kernel, one signal after the other."""
    table = Table(
        "Hand-over", [OURS], OURS, "median ms (lowest) from the signal to the cell's answer"
    )
    directory = bench.stack.enter_context(short_folder("fleet-hand-"))
    changes = {"FleetGatewayApp": {"ping_timeout": PING_TIMEOUT}}
    gateways = Gateways(directory, 3, None, changes)
    bench.stack.callback(gateways.stop)
    kernel_id = gateways.start_kernel(0)
    with gateways.client().channels(gateways.urls[1], kernel_id) as channels:
        pid = channels.run("import os; print(os.getpid())")

    def measure_of(number: signal.Signals) -> Measure:
        def measure() -> tuple[float, dict[str, float]]:
            url = wait_until(lambda: gateways.owner(kernel_id, 0))
            owner = gateways.urls.index(url)
            page = gateways.client().channels(gateways.urls[(owner + 1) % 3], kernel_id)
            page.run("1")

            def hand_over() -> None:
                gateways.processes[owner].signal(number)
                if page.run("print(os.getpid())") != pid:
                    raise AssertionError("it is not the same kernel any more")

            try:
                return milliseconds_of(hand_over), {}
            finally:
                page.close()
                if number is signal.SIGSTOP:
                    gateways.processes[owner].signal(signal.SIGCONT)
                else:
                    gateways.processes[owner]._process.wait(30)
                    gateways.start_again(owner)
                client = gateways.client()
                for one in gateways.urls:
                    wait_until(
                        lambda one=one: (
                            len(client.call("GET", f"{one}/api/fleet/gateways").json()) == 3
                        )
                    )

        return measure

    lines = {name: {OURS: measure_of(number)} for name, number in SIGNALS.items()}
    bench.interleave(table, lines)
    return table
