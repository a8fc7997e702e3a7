"""What `up` says of the network of kernels, by what was asked for and what the machine allows."""

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_ext.fleet import kernel_network
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kernel_network import (
    check_kernel_network,
    make_own_tun,
    network_notice,
    own_tun,
)
from jupyter_ext.fleet.network_options import allowed_addresses, network_mode
from jupyter_ext.fleet.settings import Settings


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data")


def python(folder: Path, *refused: str) -> Path:
    """What runs in the place of the kernels' Python, on a machine that refuses these networks."""
    file = folder / "python"
    cases = "".join(f"  *{reach}*) printf 'no {reach} here';;\n" for reach in refused)
    file.write_text(f'#!/bin/sh\ncase "$5" in\n{cases}esac\n')
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ((), "reach the internet, no private network"),
        (("internet",), "reach no network, so that %pip installs nothing: no internet here"),
        (("internet", "none"), "do not start, because they cannot have a network of their own: no"),
        (("internet", "none", ""), "every port of this machine"),
    ],
)
def test_up_says_what_kernels_reach(
    refused: tuple[str, ...], words: str, tmp_path: Path, data_dir: DataDir
) -> None:
    program = python(tmp_path, *refused)
    check_kernel_network(Settings(), program, data_dir, as_root=False)
    assert words in network_notice(Settings(), program, data_dir, as_root=False)


@pytest.mark.parametrize("network", ["none", "internet"])
def test_up_fails_where_kernels_must_have_a_network_that_cannot_be_had(
    network: str, tmp_path: Path, data_dir: DataDir
) -> None:
    program, wanted = python(tmp_path, network), Settings(kernel_network=network)
    with pytest.raises(FleetError, match=f"no {network} here.*--kernel-network auto"):
        check_kernel_network(wanted, program, data_dir, as_root=False)
    with pytest.raises(FleetError, match="--kernel-walls none"):
        check_kernel_network(replace(wanted, kernel_walls="none"), program, data_dir, as_root=False)


def test_what_is_said_without_a_look_at_the_machine(
    data_dir: DataDir,
) -> None:
    missing = Path("/no/python")
    without = Settings(kernel_walls="none")
    check_kernel_network(without, missing, data_dir, as_root=False)
    assert network_notice(without, missing, data_dir, as_root=False) == ""
    none = Settings(kernel_network="none")
    assert "reach no network (" in network_notice(none, missing, data_dir, as_root=False)
    host = Settings(kernel_network="host")
    assert "every port" in network_notice(host, missing, data_dir, as_root=False)


def test_root_makes_a_device_where_kernels_users_cannot_open_the_machines(
    tmp_path: Path, data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    device = tmp_path / "tun"
    # As /dev/null: a container may allow it.
    os.mknod(device, 0o20600, os.makedev(1, 3))
    monkeypatch.setattr(kernel_network, "TUN", str(device))
    monkeypatch.setattr(DataDir, "kernels", tmp_path / "kernels")
    make_own_tun(data_dir)
    made = own_tun(data_dir).stat()
    assert (made.st_rdev, made.st_mode & 0o777) == (os.makedev(1, 3), 0o666)
    own_tun(data_dir).unlink()
    device.chmod(0o666)
    make_own_tun(data_dir)
    assert not own_tun(data_dir).exists()


def test_other_words_are_refused() -> None:
    assert network_mode("internet") == "internet"
    with pytest.raises(argparse.ArgumentTypeError, match="none, internet"):
        network_mode("lan")
    for allowed in ("", "10.0.0.1:80,db.example:3306,[fd::1]:80,fd::/64,10.0.0.0/8"):
        assert allowed_addresses(allowed) == allowed
    for allowed, words in (
        ("http://db", "10.1.2.3:6379"),
        # In the words of gateways, which would not start.
        ("10.0.0.1:80,10.1.2.3:99999", "the ports of '10.1.2.3:99999' must be from 1 to 65535"),
        ("localhost:80", "loopback"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match=re.escape(words)):
            allowed_addresses(allowed)
