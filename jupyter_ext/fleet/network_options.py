"""What `up` takes for the network of kernels."""

from __future__ import annotations

import argparse
import re

from jupyter_ext.wire.kernel_walls import NETWORKS

_PORTS = r"(:\d+(-\d+)?)?"
_ADDRESS = re.compile(
    rf"[\w.-]+(/\d+)?{_PORTS}|\[[\da-fA-F:.]+(/\d+)?\]{_PORTS}|[\da-fA-F:.]+(/\d+)?"
)


def network_mode(text: str) -> str:
    """The value of `--kernel-network`."""
    if text not in NETWORKS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(NETWORKS)}")
    return text


def allowed_addresses(text: str) -> str:
    """The value of `--kernel-network-allowed`; gateways look closer."""
    for address in filter(None, text.split(",")):
        if not _ADDRESS.fullmatch(address):
            raise argparse.ArgumentTypeError(
                f"{address!r} is no address, network or name with ports, as in 10.1.2.3:6379, "
                "10.1.0.0/16:8000-9000 or database.example:3306"
            )
    return text
