"""What `up` tells an operator about a fleet that other machines connect to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from jupyter_ext.fleet.advertised_address import is_loopback
from jupyter_ext.fleet.browser_address import (
    address_for_others,
    listens_everywhere,
    reaches_others,
)
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.self_signed import fingerprint
from jupyter_ext.fleet.settings import Settings


def notices(
    settings: Settings,
    data_dir: DataDir,
    address: Callable[[], str | None] = address_for_others,
) -> list[str]:
    """What an operator must know about a fleet that browsers and clusters of other machines connect
    to."""
    return [
        *_of_names(settings, address),
        *_of_browsers(settings, data_dir),
        *_of_clusters(settings),
    ]


def _of_names(settings: Settings, address: Callable[[], str | None]) -> list[str]:
    """The address of a fleet whose URL has this machine's name, which others may not know."""
    if settings.public_url or not listens_everywhere(settings.listen):
        return []
    host = address()
    if host is None:
        return []
    return [
        "Browsers of machines that do not know this one by its name reach the fleet at "
        f"{replace(settings, listen=host).browser_url}/"
    ]


def _of_browsers(settings: Settings, data_dir: DataDir) -> list[str]:
    if settings.self_signed:
        certificate = SecretFiles(data_dir.secrets).front_certificate
        return [
            "Browsers will warn that the connection is not private, because `up` has made the "
            "certificate itself: compare its SHA-256 fingerprint before you go on "
            f"({fingerprint(certificate)}), or give the fleet a certificate that they know with "
            "--tls-cert"
        ]
    if reaches_others(settings.listen) and not settings.serves_https:
        return [
            f"The front listens on {settings.listen} without encryption: whoever can listen on "
            "that network can sign in as anybody"
        ]
    return []


def _of_clusters(settings: Settings) -> list[str]:
    if settings.advertise is None:
        if settings.kubeconfig is None and settings.yarn_conf is None:
            return []
        return [
            "Gateways listen on 127.0.0.1 alone, which pods and containers cannot reach: name an "
            "address of this machine that they can connect to with `jupyter fleet up --advertise "
            "HOST`, else their kernels do not start"
        ]
    ports = [str(settings.ports[name]) for name in settings.gateway_names]
    several = "s" if len(ports) > 1 else ""
    lines = [
        f"Gateways also listen on {settings.advertise}, without encryption: let the machines of "
        f"your clusters, and nobody else, connect to port{several} {', '.join(ports)}"
    ]
    if is_loopback(settings.advertise):
        lines.append(
            f"{settings.advertise} is a loopback address: only programs of this machine reach it"
        )
    return lines
