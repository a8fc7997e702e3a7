"""The certificate that `up` makes."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509

from jupyter_ext.fleet.self_signed import (
    VALID,
    fingerprint,
    is_good,
    keep_certificate,
    make_certificate,
    names_of_machine,
)

NAMES = ["localhost", "127.0.0.1", "::1"]


def test_a_server_can_use_it_for_its_names_and_addresses(tmp_path: Path) -> None:
    file = tmp_path / "front.pem"
    keep_certificate(file, NAMES)
    assert file.stat().st_mode & 0o777 == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert listed.get_values_for_type(x509.DNSName) == ["localhost"]
    assert listed.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]


def test_it_stays_while_it_is_good_since_people_have_compared_it(tmp_path: Path) -> None:
    file = tmp_path / "front.pem"
    keep_certificate(file, NAMES)
    first = fingerprint(file)
    keep_certificate(file, NAMES[:1])
    assert fingerprint(file) == first
    keep_certificate(file, [*NAMES, "fleet.example"])
    assert fingerprint(file) != first
    file.write_text("nonsense")
    keep_certificate(file, NAMES)
    assert len(fingerprint(file).split(":")) == 32


def test_it_is_renewed_before_its_end() -> None:
    now = datetime.datetime.now(datetime.UTC)
    certificate = x509.load_pem_x509_certificate(make_certificate(NAMES, now).encode())
    assert is_good(certificate, NAMES, now)
    assert not is_good(certificate, NAMES, now + VALID - datetime.timedelta(days=29))


def test_it_is_for_the_address_that_was_told(tmp_path: Path) -> None:
    assert "192.0.2.7" in names_of_machine("192.0.2.7")
    assert "0.0.0.0" not in names_of_machine("0.0.0.0")
