"""How long a cell waits when the gateway that owns its kernel ends, is killed, drained or frozen.

A page is open at another gateway and runs one cell after the other, from the moment of the signal
(or the order to drain) to the answer of the first that was asked for under a new owner. Twenty
times each, the freeze five times; the kernel must stay the same process. Stock Enterprise Gateway
has nothing to compare with: its kernels end with it, or need a new connection and lose what they
said meanwhile.
"""

import signal
from threading import Thread

from tests.bench.bench import Bench, Measure, milliseconds_of
from tests.bench.table import Table
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, wait_until
from tests.servers.short_folder import short_folder

OURS = "ours"
PING_TIMEOUT = 5.0
ROUNDS, FROZEN_ROUNDS = 20, 5
DRAIN = "drain of the owner"
FROZEN = f"SIGSTOP of the owner (ping time-out {PING_TIMEOUT:g} s)"
SIGNALS = {
    "SIGTERM of the owner": signal.SIGTERM,
    "kill -9 of the owner": signal.SIGKILL,
    DRAIN: None,
    FROZEN: signal.SIGSTOP,
}


def run(bench: Bench) -> Table:
    """Three gateways, one kernel, one signal after the other."""
    table = Table(
        "Hand-over",
        [OURS],
        OURS,
        "median ms (lowest..highest) from the signal to the cell's answer",
        shows_highest=True,
    )
    directory = bench.stack.enter_context(short_folder("fleet-hand-"))
    changes = {"FleetGatewayApp": {"ping_timeout": PING_TIMEOUT}}
    gateways = Gateways(directory, 3, None, changes)
    bench.stack.callback(gateways.stop)
    kernel_id = gateways.start_kernel(0)
    with gateways.client().channels(gateways.urls[1], kernel_id) as channels:
        pid = channels.run("import os; print(get_ipython().kernel.ident)")

    def measure_of(number: signal.Signals | None) -> Measure:
        def measure() -> tuple[float, dict[str, float]]:
            url = wait_until(lambda: gateways.owner(kernel_id, 0))
            owner = gateways.urls.index(url)
            other = (owner + 1) % 3
            page = gateways.client().channels(gateways.urls[other], kernel_id)
            page.run("1")

            def drain(method: str) -> None:
                call = f"{gateways.urls[other]}/api/fleet/gateways/gateway-{owner}/drain"
                gateways.service().call(method, call).raise_for_status()

            draining = Thread(target=drain, args=("POST",))

            def hand_over() -> None:
                if number is None:
                    # Answered only when the kernels have gone.
                    draining.start()
                else:
                    gateways.processes[owner].signal(number)
                changed = False
                while not changed:
                    changed = gateways.owner(kernel_id, other) not in (None, url)
                    if page.run("print(get_ipython().kernel.ident)") != pid:
                        raise AssertionError("it is not the same kernel any more")

            try:
                return milliseconds_of(hand_over), {}
            finally:
                page.close()
                if number is None:
                    draining.join()
                    drain("DELETE")
                elif number is signal.SIGSTOP:
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
    frozen = {FROZEN: lines.pop(FROZEN)}
    Bench(ROUNDS, bench.directory).interleave(table, lines)
    Bench(FROZEN_ROUNDS, bench.directory).interleave(table, frozen)
    return table
