"""Builds Kubernetes from Go modules: `python -m tests.clusters.kubernetes.binaries`.

The four programs take about 700 seconds of CPU, 1.9 GB of memory and 5 GB of disk the first time.
They are kept by the hash of the recipe, each as soon as it is built. Go's own caches lie beside
them, so that a build that ran out of time goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.clusters.recipe_cache import (
    BuildError,
    OutOfTimeError,
    UnavailableError,
    alone_in,
    cache_root,
    recipe_folder,
)

HERE = Path(__file__).parent
_PAUSE = HERE / "pause" / "main.go"
PACKAGES = {
    "pause": "./pause",
    **{
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
    },
}
DISK_BYTES = 5 << 30
"""What Go's caches and the programs take."""
# Without these a client sees v0.0.0-master, and some take features from the version.
_STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# What is wrong with the recipe, and not with the network.
_RECIPE_ERRORS = ("checksum mismatch", "missing go.sum entry", "updates to go.mod needed")


def version() -> str:
    """Kubernetes' version, such as "v1.34.4"."""
    return _one(r"k8s\.io/kubernetes => k8s\.io/kubernetes (v\S+)")


def folder() -> Path:
    """Where this recipe's programs are, or will be."""
    settings = " ".join(_linker_flags())
    return recipe_folder("kubernetes", (HERE / "go.mod", HERE / "go.sum", _PAUSE), settings)


def missing() -> list[str]:
    """The programs that have to be built."""
    return [name for name in PACKAGES if not (folder() / name).exists()]


def build(deadline: float) -> Path:
    """Builds what is missing, and returns the folder of the programs.

    `deadline` is in seconds of time.monotonic(). Raises UnavailableError (no Go, no disk, no
    network), OutOfTimeError, and BuildError.
    """
    where = folder()
    if not missing():
        return where
    _check_go()
    _check_disk()
    with alone_in(where, deadline):
        packages = {name: PACKAGES[name] for name in missing()}
        build_packages(HERE, packages, where, deadline, " ".join(_linker_flags()))
    return where


def build_packages(
    module: Path, packages: Mapping[str, str], where: Path, deadline: float, linker_flags: str
) -> None:
    """Builds programs of the Go module in a folder into `where`. Raises as `build` does."""
    said = _go(module, ["list", "-deps", *packages.values()], deadline)
    if said is not None:
        if any(error in said for error in _RECIPE_ERRORS):
            raise BuildError(said)
        raise UnavailableError(f"Go modules cannot be downloaded: {said[-500:]}")
    for name, package in packages.items():
        began = time.monotonic()
        partial = where / f".{name}"
        arguments = ["build", "-trimpath", "-ldflags", linker_flags]
        said = _go(module, [*arguments, "-o", str(partial), package], deadline, GOPROXY="off")
        if said is not None:
            raise BuildError(said)
        partial.rename(where / name)
        print(f"built {name} in {time.monotonic() - began:.0f} s", flush=True)


def _check_go() -> None:
    needed = _one(r"^go (\S+)")
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(f"Go {needed} or later is not installed")
    said = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=True, env=_environment()
    ).stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found and tuple(map(int, found.groups())) < tuple(map(int, needed.split(".")[:2])):
        raise UnavailableError(f"Go {needed} or later is needed, here is {said}")


def _check_disk() -> None:
    """What an earlier build has left counts: it is not written again."""
    there = sum(
        file.lstat().st_size
        for folder, _, names in os.walk(cache_root())
        for file in (Path(folder, name) for name in names)
        if file.exists()
    )
    needed = DISK_BYTES - there
    free = shutil.disk_usage(cache_root()).free
    if free < needed:
        raise UnavailableError(
            f"a build needs {needed / 1e9:.1f} GB more of disk in {cache_root()}, "
            f"{free / 1e9:.1f} GB are free"
        )


def _go(module: Path, arguments: list[str], deadline: float, **environment: str) -> str | None:
    """Runs Go until `deadline`; what it said if it failed, None if all went well."""
    command = ["nice", "-n", "10", "go", *arguments]
    process = subprocess.Popen(
        command,
        cwd=module,
        env=_environment() | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except BaseException as error:
        # Its compilers are in its group.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise OutOfTimeError(f"`go {arguments[0]}` was still running") from None
        raise
    return said.strip() or f"exit status {process.returncode}" if process.returncode else None


def _environment() -> dict[str, str]:
    go = cache_root() / "go"
    return os.environ | {
        "GOMODCACHE": str(go / "modules"),
        "GOCACHE": str(go / "build"),
        "GOFLAGS": "-mod=readonly -buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


def _linker_flags() -> list[str]:
    full = version()
    major, minor, _ = full.removeprefix("v").split(".")
    values = {
        "gitVersion": full,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "2026-01-01T00:00:00Z",
    }
    stamps = [
        f"-X {package}.{name}={value}" for package in _STAMPED for name, value in values.items()
    ]
    return ["-s", "-w", *stamps]


def _one(pattern: str) -> str:
    found = re.search(pattern, (HERE / "go.mod").read_text(), re.MULTILINE)
    assert found, f"go.mod has no line like {pattern}"
    return found.group(1)


def main() -> int:
    """Exit status 0: all are there; 75: not here or not now; 1: the recipe is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600, help="how long it may take")
    deadline = time.monotonic() + parser.parse_args().seconds
    try:
        print(build(deadline))
    except (UnavailableError, OutOfTimeError) as error:
        print(f"Kubernetes is not built: {error}", file=sys.stderr)
        return 75
    except BuildError as error:
        print(f"Kubernetes does not build:\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
