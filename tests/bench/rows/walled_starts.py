"""What walls cost at a kernel's start: from the request to the answer of its first cell.

Gateways take turns, whose kernels have namespaces of their own and the internet (where a way to it
can be made), namespaces and no network, and none. Their fork servers are warm in the first line; in
the second one each kernel is the first of its user id, whose fork server has to import everything
before.
"""

import itertools

from tests.bench.bars import Bar, Limit
from tests.bench.bench import Bench, Measure, milliseconds_of
from tests.bench.table import Table
from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.servers.short_folder import short_folder
from tests.servers.tun_device import openable_tun, why_no_way_out

INTERNET, WALLS, NONE = "walls, internet", "walls, no network", "without"
WARM, FIRST = "start and first cell, warm fork server", "the same, first kernel of a user id"
LEAST_ROUNDS = 20
FIRST_ROUNDS = 5
FIRST_MS = 2000.0


def run(bench: Bench) -> Table:
    """One kernel after the other, each deleted before the next one."""
    modes = {WALLS: ("required", "none"), NONE: ("none", "auto")}
    if not why_no_way_out():
        modes = {INTERNET: ("required", "internet"), **modes}
    table = Table(
        "Starts within walls",
        [*modes],
        next(iter(modes)),
        "median ms (lowest..highest) from the request to the first cell's answer",
        shows_highest=True,
    )
    gateways = {name: _gateway(bench, *mode) for name, mode in modes.items()}
    warm: dict[str, Measure] = {name: _measure(one, "demo") for name, one in gateways.items()}
    numbers = itertools.count()

    def first(one: Gateways) -> Measure:
        return lambda: _measure(one, f"project-{next(numbers)}")()

    firsts = {name: first(one) for name, one in gateways.items()}
    rounds = max(bench.rounds, LEAST_ROUNDS)
    Bench(rounds, bench.directory).interleave(table, {WARM: warm})
    Bench(min(bench.rounds, FIRST_ROUNDS), bench.directory).interleave(table, {FIRST: firsts})
    return table


def _gateway(bench: Bench, walls: str, network: str) -> Gateways:
    folder = bench.stack.enter_context(short_folder("fleet-walled-"))
    folder.chmod(0o711)
    app = {"kernel_walls": walls, "kernel_network": network}
    if network == "internet":
        app["tun_device"] = openable_tun(folder)
    gateways = Gateways(folder, 1, None, {"FleetGatewayApp": app})
    bench.stack.callback(gateways.stop)
    return gateways


def _measure(gateways: Gateways, project: str) -> Measure:
    client, url = gateways.client(**{project: "owner"}), f"{gateways.urls[0]}/api/kernels"

    def measure() -> tuple[float, dict[str, float]]:
        started: list[str] = []

        def start_and_run() -> None:
            answer = client.call("POST", url, json={"name": "lossless", "project": project})
            answer.raise_for_status()
            started.append(answer.json()["id"])
            with client.channels(gateways.urls[0], started[0]) as channels:
                channels.run("1 + 1")

        milliseconds = milliseconds_of(start_and_run)
        client.call("DELETE", f"{url}/{started[0]}").raise_for_status()
        return milliseconds, {}

    return measure


def bars(table: Table) -> list[Bar | Limit]:
    """At most 1.2 times as long with walls as without; the first of a user id within 2 s."""
    return [Bar(WARM, NONE, at_most=1.2), Limit(FIRST, FIRST_MS)]
