"""`python` and `pip` of a kernel's packages, where no other kernel of the project can write.

Packages bring programs, and any kernel of the project can put some beside them. One called `sh` or
`ls` would run for whoever types `!ls`. So their folder is the last in PATH, and what must be found
there first has a script in the kernel's own folder.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from .package_site import site_python
from .start_files import FOLDER

_BIN = "bin"


def own_programs(own: Path) -> Path:
    """Where they are; `own` is the kernel's folder."""
    return own / FOLDER / _BIN


def search_path(own: Path, packages: Path, path: str) -> str:
    """PATH of a kernel with packages, over the PATH of its environment."""
    return os.pathsep.join([str(own_programs(own)), path, str(packages / "bin")])


def write_own_programs(own: Path, packages: Path) -> None:
    """Write them for a new process. Raises OSError."""
    folder = own_programs(own)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    python, otherwise = (shlex.quote(str(one)) for one in (site_python(packages), sys.executable))
    # Without the working directory on pip's path: it may contain a file such as random.py.
    for names, arguments in (
        (("python", "python{}", "python{}.{}"), '"$@"'),
        (("pip", "pip{}"), '-P -m pip "$@"'),
    ):
        lines = (
            "#!/bin/sh",
            f"[ -x {python} ] && exec {python} {arguments}",
            f"exec {otherwise} {arguments}",
        )
        for name in names:
            program = folder / name.format(*sys.version_info)
            program.write_text("".join(f"{line}\n" for line in lines))
            program.chmod(0o700)
