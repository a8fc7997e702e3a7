"""Whether kernels can have walls on this machine: tried once by `up`, which says what it found."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.tools import NOBODY, SYSTEM_PATHS
from jupyter_ext.wire.kernel_walls import PROBE, PROBE_SECONDS, WALLS
from jupyter_ext.wire.private_folders import homes


def walls_mode(text: str) -> str:
    """The value of `--kernel-walls`."""
    if text not in WALLS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(WALLS)}")
    return text


def folders(text: str) -> str:
    """The value of `--shown-folders`, without `~`."""
    named = [os.path.expanduser(one) for one in text.split(os.pathsep) if one]
    for one in named:
        if not os.path.isabs(one):
            raise argparse.ArgumentTypeError(
                f"{one!r} is not an absolute path: use {os.path.abspath(one)!r} if you mean that"
            )
        if not os.path.exists(one):
            raise argparse.ArgumentTypeError(
                f"{one!r} does not exist: create it first, or leave it out"
            )
    return os.pathsep.join(map(os.path.abspath, named))


def check_kernel_walls(mode: str, python: Path, *, as_root: bool) -> bool:
    """Whether kernels will have walls. Raises `FleetError` if they must, and cannot."""
    if mode == "none":
        return False
    why_not = why_no_walls(python, as_root=as_root)
    if mode == "required" and why_not:
        raise FleetError(
            f"kernels cannot have namespaces of their own: {why_not}. Change that, or use "
            "--kernel-walls auto"
        )
    return not why_not


def runs_code_of_one_user(*, as_root: bool, has_walls: bool, trust_everyone: bool) -> bool:
    """Whether nothing would keep the code of several users apart, and the operator has not allowed
    that."""
    return not (as_root or has_walls or trust_everyone)


def walls_notices(
    mode: str,
    python: Path,
    *,
    as_root: bool,
    only_user: str | None = None,
    shown: str | None = None,
) -> list[str]:
    """What an operator must know about walls that are not there, and about what these hide."""
    lines = []
    why_not = why_no_walls(python, as_root=as_root) if mode == "auto" else ""
    if why_not:
        lines.append(
            f"Kernels have no namespaces of their own ({why_not}): kernels of one project share "
            "their temporary files and see each other's processes, and where Linux has no Landlock "
            "they can read each other's memory"
        )
    own = [] if as_root or mode == "none" else homes()
    if hidden := [home for home in own if not _is_shown(home, shown)]:
        lines.append(home_notice(" and ".join(hidden), only_user, in_namespaces=not why_not))
    return lines


def _is_shown(home: str, shown: str | None) -> bool:
    """Whether `--shown-folders` names a home, or a folder around it."""
    around = [home, *map(str, Path(home).parents)]
    return any(os.path.realpath(one) in around for one in (shown or "").split(os.pathsep) if one)


def home_notice(home: str, only_user: str | None, *, in_namespaces: bool) -> str:
    """Whether kernels that run as the user of the fleet see the home of that user."""
    if only_user is not None:
        return (
            f"Kernels read your home {home}, as they are {only_user}'s alone: shut them down "
            "before you let others run code"
        )
    where = "" if in_namespaces else "Where Linux has Landlock, "
    line = (
        f"{where}kernels see nothing of your home {home} but their environment: name what they "
        "need with --shown-folders, or, if nobody else uses this fleet, whom it serves with "
        "--only-user"
    )
    return line[0].upper() + line[1:]


def one_user_notice(named: str | None) -> str:
    """What an operator must know of a fleet that serves one user, whom `up` was told or not."""
    if named is not None:
        return f"This fleet runs code of {named} alone (--only-user)"
    return (
        "This fleet runs code of one user alone, whoever starts a kernel first (or --only-user "
        "NAME): its kernels run as you, and the code of others would reach your files. Run it as "
        "root, allow user namespaces, or use --trust-everyone if you trust everybody"
    )


def why_no_walls(python: Path, *, as_root: bool, network: str = "") -> str:
    """Why a kernel of `python` can have no walls, with this network (docs/protocols.md, JSON);
    empty if it can."""
    clean = {"PATH": SYSTEM_PATHS, "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        if as_root:
            os.chown(folder, NOBODY, NOBODY)
        try:
            done = subprocess.run(
                [python, "-P", "-m", PROBE, folder, *filter(None, [network])],
                cwd="/",
                env=clean,
                capture_output=True,
                text=True,
                timeout=PROBE_SECONDS,
                user=NOBODY if as_root else None,
                group=NOBODY if as_root else None,
                extra_groups=[] if as_root else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"{PROBE} ends with {done.returncode}"])[-1]
    return done.stdout.strip()
