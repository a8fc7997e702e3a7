"""What `up` takes for the network of kernels."""

from __future__ import annotations

import argparse

from jupyter_ext.wire.allowed_addresses import check_allowed
from jupyter_ext.wire.kernel_walls import NETWORKS


def network_mode(text: str) -> str:
    """The value of `--kernel-network`."""
    if text not in NETWORKS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(NETWORKS)}")
    return text


def allowed_addresses(text: str) -> str:
    """The value of `--kernel-network-allowed`."""
    for address in filter(None, text.split(",")):
        try:
            check_allowed(address)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return text
