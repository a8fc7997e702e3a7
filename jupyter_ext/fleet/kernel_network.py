"""What network kernels can have on this machine: tried by `up`, which says what it found."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kernel_walls import why_no_walls
from jupyter_ext.fleet.settings import Settings

TUN = "/dev/net/tun"


def network_config(settings: Settings, data_dir: DataDir) -> dict[str, Any]:
    """The part of a gateway's configuration (`FleetGatewayApp`)."""
    allowed = (settings.kernel_network_allowed or "").split(",")
    tun = own_tun(data_dir)
    return {
        "kernel_network": settings.kernel_network,
        "kernel_network_allowed": [one for one in allowed if one],
        "tun_device": str(tun) if tun.exists() else "",
    }


def own_tun(data_dir: DataDir) -> Path:
    """Where the fleet has a device of its own in the place of /dev/net/tun, if it needs one."""
    return data_dir.kernels / "tun"


def make_own_tun(data_dir: DataDir) -> None:
    """Make it if root alone can open /dev/net/tun. Nothing happens where that is not possible."""
    try:
        device = os.stat(TUN)
        if os.geteuid() != 0 or device.st_mode & 0o006 == 0o006:
            return
        node = own_tun(data_dir)
        node.parent.mkdir(parents=True, exist_ok=True)
        if not _is_device(node, device.st_rdev):
            node.unlink(missing_ok=True)
            os.mknod(node, stat.S_IFCHR | 0o600, device.st_rdev)
        # The device gives nobody rights over a network: its users need them already.
        node.chmod(0o666)
    except OSError:
        return


def _is_device(node: Path, number: int) -> bool:
    try:
        found = node.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == number


def check_kernel_network(
    settings: Settings, python: Path, data_dir: DataDir, *, as_root: bool
) -> None:
    """Prepare what kernels need for a network of their own. Raises `FleetError` if they must have
    one, and cannot."""
    wanted = settings.kernel_network
    if settings.kernel_walls != "none" and wanted in ("auto", "internet"):
        make_own_tun(data_dir)
    if wanted not in ("none", "internet"):
        return
    why_not = "they have no walls (--kernel-walls none)"
    if settings.kernel_walls != "none":
        why_not = why_no_network(wanted, python, data_dir, as_root=as_root)
    if why_not:
        raise FleetError(
            f"kernels cannot have the network {wanted}: {why_not}. Change that, or use "
            "--kernel-network auto"
        )


def network_notice(settings: Settings, python: Path, data_dir: DataDir, *, as_root: bool) -> str:
    """What an operator must know of the network of kernels with walls; empty if there is nothing to
    know."""
    wanted = settings.kernel_network
    if settings.kernel_walls == "none":
        return ""
    if wanted == "none":
        return "Kernels reach no network (--kernel-network none), so that %pip installs nothing"
    if wanted == "host":
        return "Kernels reach every port of this machine, and whatever it reaches"
    why_not = why_no_network("internet", python, data_dir, as_root=as_root)
    if not why_not:
        return "Kernels reach the internet, no private network, and nothing of this machine"
    if why_none := why_no_network("none", python, data_dir, as_root=as_root):
        if not why_no_walls(python, as_root=as_root):
            return (
                "Kernels do not start, because they cannot have a network of their own: "
                f"{why_none}. Change that, or use --kernel-network host"
            )
        # The notice about their walls says why.
        return "Kernels reach every port of this machine, and whatever it reaches"
    return (
        f"Kernels reach no network, so that %pip installs nothing: {why_not}. Change that, or use "
        "--kernel-network host"
    )


def why_no_network(reach: str, python: Path, data_dir: DataDir, *, as_root: bool) -> str:
    """Why a kernel of `python` cannot reach as far; empty if it can."""
    tun = own_tun(data_dir)
    described = {"reach": reach, **({"tun": str(tun)} if tun.exists() else {})}
    return why_no_walls(python, as_root=as_root, network=json.dumps(described))
