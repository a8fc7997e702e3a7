"""`python -m gateway_ext.agent.walls.rejoin AGENT USER NETWORK ORDER`: back to a kernel's network.

Changes the network of a kernel that runs. USER and NETWORK are descriptors of its namespaces: who
has made the first has every right over both, and the kernel has none. ORDER is JSON: `{"refuse":
[ADDRESS…]}`, done with DONE on standard output, or `{"tun", "own_resolver"}` to become another way
to the internet. Otherwise the output says what went wrong. AGENT is the parent, with which it ends.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from typing import Any

from .own_network import refuse
from .system_calls import Namespace, join, words_of
from .way_out import Route, lead_out, show_device

DONE = "done"


def main(agent: int, user: int, network: int, order: dict[str, Any]) -> None:
    """Do what the order says."""
    # The machine's, which may have changed since the kernel started.
    route = None if "refuse" in order else Route.of_machine()
    join(user, Namespace.USER)
    if route is not None:
        show_device(order["tun"])
        lead_out(network, agent, route, own_resolver=order["own_resolver"])
    join(network, Namespace.NETWORK)
    refuse(map(ipaddress.ip_network, order["refuse"]))


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
    except OSError as error:
        print(words_of(error), end="", flush=True)
        os._exit(1)
    print(DONE, end="")
