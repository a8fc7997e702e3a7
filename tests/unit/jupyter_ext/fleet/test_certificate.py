"""What `up` says of a certificate before it starts anything with it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_ext.fleet.certificate import check_certificate
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.fronts import front_config
from jupyter_ext.fleet.ports import FRONT, FRONT_INSIDE, held_ports
from jupyter_ext.fleet.settings import Settings

TEMPLATE = "server's\ndaemon off;\nserver {\n@LISTEN@\n}\n"


def make(folder: Path, name: str = "fleet", *, password: str = "") -> tuple[Path, Path]:
    """A certificate of its own and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subject = ["-days", "2", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += [*secret, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def test_a_certificate_with_its_key_in_one_file_or_two_is_good(tmp_path: Path) -> None:
    certificate, key = make(tmp_path)
    check_certificate(str(certificate), str(key))
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    check_certificate(str(both), None)
    check_certificate(None, None)


def test_what_the_front_could_not_use_is_said(tmp_path: Path) -> None:
    certificate, _ = make(tmp_path)
    _, other = make(tmp_path, "other")
    locked, secret = make(tmp_path, "locked", password="abcdef")
    quoted = tmp_path / 'a"b.pem'
    for told, words in (
        ((None, str(other)), "name the certificate, or use --tls-key '' too"),
        (("/nowhere/c.pem", None), "--tls-cert /nowhere/c.pem cannot be used"),
        ((str(certificate), None), "its key must be in it"),
        ((str(certificate), str(other)), f"with --tls-key {other}"),
        ((str(locked), str(secret)), f"with --tls-key {secret}"),
        ((str(quoted), None), "rename it"),
    ):
        with pytest.raises(FleetError) as refused:
            check_certificate(*told)
        assert words in str(refused.value)


def test_the_front_serves_https_to_browsers_and_the_fleet_goes_on_inside(tmp_path: Path) -> None:
    certificate, key = make(tmp_path)
    settings = Settings(
        port=8443,
        tls_cert=str(certificate),
        tls_key=str(key),
        labs=1,
        gateways=1,
        bucket="s3://b",
        ports={"lab-1": 1, "gateway-1": 2, FRONT_INSIDE: 11000},
    )
    assert settings.browser_url == "https://127.0.0.1:8443"
    assert settings.url() == settings.members[0].url == "http://127.0.0.1:11000"
    assert FRONT_INSIDE in settings.port_names
    assert held_ports([FRONT], 8443, settings.ports) == {8443, 11000}
    data_dir = DataDir.at(tmp_path)
    text = front_config(TEMPLATE, settings, data_dir, as_root=False)
    assert "listen 127.0.0.1:8443 ssl;" in text
    assert f'ssl_certificate_key "{key}";' in text
    assert "listen 127.0.0.1:11000;" in text
    # `up` loads a renewed certificate, and leaves one alone that is the same.
    assert front_config(TEMPLATE, settings, data_dir, as_root=False) == text
    certificate.write_bytes(make(tmp_path, "renewed")[0].read_bytes())
    assert front_config(TEMPLATE, settings, data_dir, as_root=False) != text


def test_without_a_certificate_nothing_changes() -> None:
    settings = Settings(port=8888)
    assert settings.browser_url == settings.url() == "http://127.0.0.1:8888"
    assert FRONT_INSIDE not in settings.port_names
    changed = replace(settings, tls_cert="/c")
    with pytest.raises(FleetError, match="--tls-cert"):
        changed.refuse_while_running(settings)
