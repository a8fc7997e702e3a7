"""How browsers of other machines reach a fleet, and what `up` says of it."""

import argparse
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_ext.fleet.browser_address import check_listen, public_address
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.fronts import front_config
from jupyter_ext.fleet.lab_logins import host_config, login_config
from jupyter_ext.fleet.notices import notices
from jupyter_ext.fleet.ports import FRONT_INSIDE
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.self_signed import fingerprint, keep_certificate
from jupyter_ext.fleet.settings import Settings

OTHERS = Settings(listen="192.0.2.7", ports={FRONT_INSIDE: 12000, "lab-1": 12001}, labs=1)
TEMPLATE = "server's\ndaemon off;\nerror_log @ERRORS@\nserver {\n@LISTEN@\n}\n"


def directives(settings: Settings, folder: Path) -> str:
    data_dir = DataDir.at(folder)
    return front_config(TEMPLATE, settings, data_dir, as_root=False)


@pytest.mark.parametrize(
    ("settings", "url", "https"),
    [
        (Settings(), "http://127.0.0.1:8888", False),
        (Settings(listen="127.0.0.2"), "http://127.0.0.2:8888", False),
        (OTHERS, "https://192.0.2.7:8888", True),
        (replace(OTHERS, listen="0.0.0.0"), f"https://{socket.gethostname()}:8888", True),
        (replace(OTHERS, listen="2001:db8::7"), "https://[2001:db8::7]:8888", True),
        (replace(OTHERS, insecure_http=True), "http://192.0.2.7:8888", False),
        (Settings(public_url="https://fleet.example"), "https://fleet.example", False),
    ],
)
def test_what_others_reach_is_https_unless_its_operator_wants_http(
    settings: Settings, url: str, https: bool
) -> None:
    assert settings.browser_url == url
    assert settings.serves_https is https
    assert (FRONT_INSIDE in settings.port_names) is https


def test_a_fleet_that_is_named_by_its_machine_is_named_by_an_address_too(tmp_path: Path) -> None:
    everywhere = replace(OTHERS, listen="0.0.0.0", insecure_http=True)

    def said(settings: Settings, address: str | None = "192.0.2.9") -> str:
        return " ".join(notices(settings, DataDir.at(tmp_path), lambda: address))

    assert "reach the fleet at http://192.0.2.9:8888/" in said(everywhere)
    for other in (OTHERS, replace(everywhere, public_url="https://fleet.example")):
        assert "reach the fleet at" not in said(replace(other, insecure_http=True))
    assert "reach the fleet at" not in said(everywhere, None)


def test_the_front_listens_where_it_was_told_and_on_this_machine(tmp_path: Path) -> None:
    own = SecretFiles(tmp_path / "secrets").front_certificate
    own.parent.mkdir()
    keep_certificate(own, ["localhost"])
    text = directives(OTHERS, tmp_path)
    assert "listen 127.0.0.1:8888 ssl;" in text
    assert "listen 192.0.2.7:8888 ssl;" in text
    assert f'ssl_certificate "{own}";' in text
    assert f'ssl_certificate_key "{own}";' in text
    plain = directives(replace(OTHERS, insecure_http=True, listen="0.0.0.0"), tmp_path)
    assert "listen 0.0.0.0:8888;" in plain
    assert "127.0.0.1" not in plain
    assert "error_log warn" in plain
    assert "error_log crit" in directives(replace(OTHERS, token_in_url=True), tmp_path)


def test_labs_know_the_names_under_which_they_are_reached() -> None:
    assert host_config(Settings()) == {}
    assert host_config(OTHERS) == {"allow_remote_access": True}
    proxied = Settings(public_url="https://fleet.example:8443", port=9000, token_in_url=True)
    assert host_config(proxied) == {"local_hostnames": ["localhost", "fleet.example"]}
    assert login_config(proxied) == {
        "cookie_name": "jupyter-fleet-session-9000",
        "allow_token_in_url": True,
        "public_url": "https://fleet.example:8443",
    }


def test_up_says_what_browsers_will_warn_of(tmp_path: Path) -> None:
    data_dir = DataDir.at(tmp_path)
    own = SecretFiles(data_dir.secrets).front_certificate
    own.parent.mkdir()
    keep_certificate(own, ["localhost"])
    assert notices(Settings(), data_dir) == []
    [line] = notices(OTHERS, data_dir)
    assert fingerprint(own) in line
    assert "not private" in line
    [line] = notices(replace(OTHERS, insecure_http=True), data_dir)
    assert "without encryption" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fleet.example", "no address such as"),
        ("ftp://fleet.example", "no address such as"),
        ("https://", "no address such as"),
        ("https://a:b@fleet.example", "no address such as"),
        ("https://fleet.example:x", "no address such as"),
        ("https://fleet.example?a", "no address such as"),
        ("https://fleet.example/sub", "has a path"),
    ],
)
def test_a_public_url_is_an_address_without_a_path(text: str, words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        public_address(text)


def test_a_good_public_url_is_kept_without_its_slash() -> None:
    assert public_address("https://fleet.example:8443/") == "https://fleet.example:8443"
    assert public_address("") == ""


def test_the_front_listens_at_addresses_of_this_machine_alone() -> None:
    check_listen(None)
    check_listen("0.0.0.0")
    check_listen("127.0.0.1")
    with pytest.raises(FleetError, match="not an IP address"):
        check_listen("fleet.example")
    with pytest.raises(FleetError, match="not an address of this machine"):
        check_listen("192.0.2.77", lambda address: False)
