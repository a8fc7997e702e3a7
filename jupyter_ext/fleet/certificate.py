"""The certificate with which the front serves https."""

from __future__ import annotations

import ssl

from jupyter_ext.fleet.failure import FleetError


def check_certificate(certificate: str | None, key: str | None) -> None:
    """Raises `FleetError` unless nginx could serve https with these files, or there are none."""
    if certificate is None:
        if key is not None:
            raise FleetError(
                "--tls-key needs --tls-cert: name the certificate, or use --tls-key '' too"
            )
        return
    # nginx's configuration has the paths in quotes.
    for file in (certificate, key or certificate):
        if any(letter in file for letter in '"\\$\n'):
            raise FleetError(f"the front cannot use {file!r}: rename it without quotes and signs")
    try:
        # Asked for a password, nginx could not answer either.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            certificate, key, password=lambda: ""
        )
    except (OSError, ValueError) as error:
        raise FleetError(
            f"--tls-cert {certificate} cannot be used"
            + (f" with --tls-key {key}" if key else " (its key must be in it, or use --tls-key)")
            + f": {getattr(error, 'strerror', None) or error}"
        ) from error
