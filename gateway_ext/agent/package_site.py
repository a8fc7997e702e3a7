"""A project's packages: a virtual environment on top of the kernels' environment.

It is outside of the kernels' environment, which stays as the operator created it. Packages in it
hide those of the same name in the environment; pip sees both, and installs and removes only here.
Only a kernel's own process uses it: it contains users' code, which must never run in an agent or a
fork server.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import site
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

FOLDER = "FLEET_PACKAGES"
"""Variable of a kernel's environment: the folder."""
END_WITH = "FLEET_PACKAGES_END_WITH"
"""Variable: with what the folder is deleted, for example `pod`. Without it the folder stays."""
LEFT_OUT = "FLEET_PACKAGES_LEFT_OUT"
"""Variable: why this kernel runs without the packages, in words."""

_PTH = "_fleet_environment.pth"
_NEEDED = (
    "ipykernel",
    "ipython",
    "jupyter-client",
    "jupyter-core",
    "pyzmq",
    "tornado",
    "traitlets",
)
"""Distributions that stay as they are in the environment. What these require may become newer or
older as far as they allow it."""
TOOLS = frozenset(
    {"asttokens", "executing", "jedi", "parso", "pure_eval", "pygments", "stack_data"}
)
"""Modules that a kernel's completions and tracebacks import by themselves, some of them late."""
KEPT = TOOLS | {
    *("IPython", "ipykernel", "ipykernel_launcher", "jupyter_client", "jupyter_core", "comm"),
    *("zmq", "tornado", "traitlets", "debugpy", "pydevd", "matplotlib_inline"),
    # What `!command` imports.
    *("pexpect", "ptyprocess"),
    *("gateway_ext", "jupyter_ext"),
}
"""Modules that are those of the environment for every kernel: what it works with itself, of which
it cannot have a second one."""
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^]]*\])?")


def site_packages(folder: Path) -> Path:
    """Where the packages are for this version of Python."""
    return folder / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"


def site_python(folder: Path) -> Path:
    """The interpreter that sees the packages."""
    return folder / "bin" / "python"


def site_environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a kernel gets over `environment`, but for PATH: what packages have for
    Jupyter is found first."""
    jupyter = [str(Path(prefix) / "share" / "jupyter") for prefix in (folder, sys.prefix)]
    if environment.get("JUPYTER_PATH"):
        jupyter.insert(0, environment["JUPYTER_PATH"])
    return {
        FOLDER: str(folder),
        "JUPYTER_PATH": os.pathsep.join(jupyter),
    }


def is_empty(folder: Path) -> bool:
    """Whether nothing is installed there."""
    try:
        with os.scandir(site_packages(folder)) as entries:
            return all(entry.name in (_PTH, "__pycache__") for entry in entries)
    except OSError:
        return True


def imported_anew(folder: Path, imported: Iterable[str]) -> list[str]:
    """The modules of `imported` of which the packages may have another version, but for those that
    a kernel itself goes on working with. Reads the folder."""
    with os.scandir(site_packages(folder)) as entries:
        there = {entry.name.partition(".")[0] for entry in entries} - KEPT
    return [name for name in imported if name.partition(".")[0] in there]


def make_site(folder: Path) -> None:
    """Creates the folder, or updates it for the environment of this process; raises OSError.

    Safe for kernels that start at the same time.
    """
    environment = [path for path in site.getsitepackages() if os.path.isdir(path)]
    configuration = _configuration(environment)
    pth = site_packages(folder) / _PTH
    try:
        if (
            (folder / "pyvenv.cfg").read_text() == configuration
            and site_python(folder).exists()
            and pth.exists()
        ):
            return
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    pth.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "bin").mkdir(mode=0o700, exist_ok=True)
    _link(folder / "lib64", "lib")
    python = site_python(folder)
    _link(python, _base_python())
    for name in ("python{}".format(*sys.version_info), "python{}.{}".format(*sys.version_info)):
        _link(folder / "bin" / name, "python")
    # Without the working directory on the path: it may contain a file such as random.py.
    pip = f'#!/bin/sh\nexec {shlex.quote(str(python))} -P -m pip "$@"\n'
    for name in ("pip", "pip{}".format(*sys.version_info)):
        _write(folder / "bin" / name, pip, 0o700)
    lines = [f"import site, sys; {p!r} in sys.path or site.addsitedir({p!r})" for p in environment]
    _write(pth, "".join(f"{line}\n" for line in lines))
    constraints = folder / "constraints.txt"
    _write(constraints, "".join(f"{line}\n" for line in _constraints()))
    _write(
        folder / "pip.conf",
        f"[global]\ndisable-pip-version-check = true\nconstraint = {constraints}\n",
    )
    # Written last, to show that everything above is complete.
    _write(folder / "pyvenv.cfg", configuration)


def enter_site(folder: Path) -> frozenset[str]:
    """Goes on as the site's own interpreter, but runs no code of the packages: others may have put
    it there, and nobody has asked for it yet. Returns the packages that are imported anew when
    somebody does. Raises OSError if the folder cannot be read."""
    environment = [os.path.abspath(path) for path in site.getsitepackages()]
    before = list(sys.path)
    packages = site_packages(folder)
    added = [path for path in [str(packages), *_folders_added(packages)] if path not in before]
    places = (i for i, path in enumerate(before) if os.path.abspath(path) in environment)
    first = next(places, len(before))
    sys.path[:] = [*before[:first], *added, *before[first:]]
    forgotten = imported_anew(folder, list(sys.modules))
    for name in forgotten:
        del sys.modules[name]
    sys.executable = str(site_python(folder))
    sys.prefix = sys.exec_prefix = str(folder)
    return frozenset(name.partition(".")[0] for name in forgotten)


def cannot_be_made(folder: Path, error: OSError) -> str:
    """The words for LEFT_OUT."""
    return f"their folder {folder} cannot be created ({error.strerror or error})"


def main() -> None:
    """`python -m gateway_ext.agent.package_site ARGUMENTS`: becomes the site's Python with these
    arguments, or stays the environment's if there can be no site."""
    folder = Path(os.environ[FOLDER])
    python = str(site_python(folder))
    try:
        make_site(folder)
        os.execv(python, [python, *sys.argv[1:]])  # noqa: S606
    except OSError as error:
        os.environ[LEFT_OUT] = cannot_be_made(folder, error)
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606


def _folders_added(packages: Path) -> Iterator[str]:
    """What .pth files add to the path, as in `site`. Their other lines are code."""
    for file in sorted(packages.glob("*.pth")):
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            if line.strip() and not line.startswith(("#", "import ", "import\t")):
                path = os.path.abspath(packages / line.rstrip())
                if os.path.exists(path):
                    yield path


def _base_python() -> str:
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def _configuration(environment: Iterable[str]) -> str:
    """pyvenv.cfg. Its last line changes with what the rest is made from."""
    version = "{}.{}.{}".format(*sys.version_info[:3])
    stamps = [f"{path}@{os.stat(path).st_mtime_ns}" for path in environment]
    return (
        f"home = {os.path.dirname(_base_python())}\n"
        "include-system-site-packages = false\n"
        f"version = {version}\n"
        f"fleet-environment = {' '.join(stamps)}\n"
    )


def _constraints() -> Iterator[str]:
    """What pip may not change, so that kernels go on starting, in pip's own words."""
    waiting, known = list(_NEEDED), set()
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        known.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if name in _NEEDED:
            yield f"{name}=={found.version}"
        for requirement in found.requires or ():
            # With extras or an address it cannot be a constraint.
            match = _NAME.match(requirement)
            if match is None or "@" in requirement or "extra" in requirement.partition(";")[2]:
                continue
            waiting.append(re.sub(r"[-_.]+", "-", match[1]).lower())
            if waiting[-1] not in _NEEDED:
                yield match[1] + requirement[match.end() :]


def _link(path: Path, target: str) -> None:
    new = path.with_name(f".{path.name}-{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    new = path.with_name(f".{path.name}-{os.getpid()}")
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)


if __name__ == "__main__":
    main()
