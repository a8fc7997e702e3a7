"""The certificate that `up` makes for a front that other machines reach, if it was given none."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jupyter_ext.fleet.advertised_address import addresses_of
from jupyter_ext.platform.private_file import write_private

VALID = datetime.timedelta(days=397)
"""Browsers refuse certificates that are valid for longer, also if somebody trusts them."""
RENEWED = datetime.timedelta(days=30)
"""How long before its end `up` makes a new one."""


def keep_certificate(file: Path, names: Sequence[str]) -> None:
    """Make sure that ``file`` has a certificate for ``names``, and its key.

    What is there stays as long as it can: people have compared its fingerprint.
    """
    with contextlib.suppress(OSError, ValueError):
        if is_good(_certificate(file), names):
            return
    write_private(file, make_certificate(names))


def make_certificate(names: Sequence[str], now: datetime.datetime | None = None) -> str:
    """A new certificate for host names and addresses, and its key, in PEM."""
    now = now or datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Jupyter Fleet")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks differ.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode() + private.decode()


def is_good(
    certificate: x509.Certificate, names: Sequence[str], now: datetime.datetime | None = None
) -> bool:
    """Whether a certificate is for all these names, and will be for a while."""
    now = now or datetime.datetime.now(datetime.UTC)
    listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    covers = {_general(one) for one in names} <= set(listed)
    return covers and certificate.not_valid_after_utc - now > RENEWED


def fingerprint(file: Path) -> str:
    """What browsers show of a certificate: its SHA-256, `AB:CD:…`."""
    return _certificate(file).fingerprint(hashes.SHA256()).hex(":").upper()


def names_of_machine(listen: str) -> list[str]:
    """The names and addresses under which browsers may reach a front that listens there."""
    host = socket.gethostname()
    found = ["localhost", "127.0.0.1", host]
    if ipaddress.ip_address(listen).is_unspecified:
        with contextlib.suppress(OSError):
            found += addresses_of(host)
    else:
        found.append(listen)
    return list(dict.fromkeys(found))


def _certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        return x509.DNSName(name)
