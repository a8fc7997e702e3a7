"""Files that programs read when they start, and that others may have prepared.

A project's kernels share a home and a folder for packages. Who used another kernel of the project
could leave code there that the next kernel runs unasked, before it has answered anybody: pages
would take what it does for that of its user. So a kernel looks for such files where nobody but its
own processes could write, and each process finds the place empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

FOLDER = "settings"
"""What the place is called in the kernel's own folder."""
VARIABLE = "FLEET_SETTINGS"
"""Variable of a kernel's environment: where it is."""
_R = ("--no-init-file", "--no-restore-data")
"""Neither .Rprofile nor .RData, whose `.First` is run, of the working folder or the home."""
_JULIA = "--startup-file"


def start_file_variables(own: Path) -> dict[str, str]:
    """The variables that lead programs there; `own` is the kernel's folder."""
    folder = own / FOLDER
    return {
        VARIABLE: str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        # Is not there. It could name another file to run.
        "R_ENVIRON_USER": str(folder / "Renviron"),
    }


def without_start_files(argv: Sequence[str]) -> list[str]:
    """A kernel's command so that R and Julia read nothing of the home and the working folder."""
    program, *arguments = argv
    match PurePath(program).name:
        case "R":
            return [program, *_R, *arguments]
        case "julia":
            rest = [one for one in arguments if not one.startswith(f"{_JULIA}=")]
            return [program, f"{_JULIA}=no", *rest]
    return list(argv)
