"""Environments of peers that need another Python than ours."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[2] / ".envs"


class NotAvailable(Exception):
    """The peer cannot run on this machine; the text says why."""


def find_python(lowest: tuple[int, int]) -> str:
    """A Python of at least that version: on PATH, or among pyenv's; raises NotAvailable."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(":") if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders += [version / "bin" for version in sorted(pyenv.glob("*"), reverse=True)]
    for folder in folders:
        # A shim of pyenv has every name and runs none of them.
        if folder.name == "shims":
            continue
        for program in sorted(folder.glob("python3.*"), reverse=True):
            found = re.fullmatch(r"python3\.(\d+)", program.name)
            if found and (3, int(found[1])) >= lowest:
                return str(program)
    raise NotAvailable(f"needs Python {lowest[0]}.{lowest[1]}+")


def python_with(name: str, lowest: tuple[int, int], packages: list[str]) -> str:
    """The interpreter of an environment with these packages, made at the first call.

    Raises NotAvailable.
    """
    environment = ENVIRONMENTS / f"bench-{name}"
    python = environment / "bin" / "python"
    complete = environment / "complete"
    if complete.exists() and complete.read_text() == " ".join(packages):
        return str(python)
    base = find_python(lowest)
    shutil.rmtree(environment, ignore_errors=True)
    for command in (
        [base, "-m", "venv", str(environment)],
        [str(python), "-m", "pip", "install", "--quiet", *packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise NotAvailable(f"could not be installed: {' '.join(last)}")
    complete.write_text(" ".join(packages))
    return str(python)
