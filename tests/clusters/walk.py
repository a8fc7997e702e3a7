"""The commands of a walk in docs/clusters.md, run as a reader types them, and its cells."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "clusters.md"

_BLOCK = r"^```{language}\n(.*?)^```$"
_ASSIGNED = re.compile(r"^(?:export )?([A-Z_]+)=", re.MULTILINE)


def commands(heading: str) -> list[str]:
    """The blocks of commands of one section of the document."""
    return _blocks(heading, "sh")


def cells(heading: str) -> list[str]:
    """The blocks of Python of one section of the document."""
    return _blocks(heading, "python")


def _blocks(heading: str, language: str) -> list[str]:
    sections = re.split(r"^#+ (.*)\n", DOCUMENT.read_text(), flags=re.MULTILINE)
    section = sections[sections.index(heading) + 1]
    pattern = _BLOCK.format(language=language)
    found = re.findall(pattern, section, flags=re.MULTILINE | re.DOTALL)
    assert found, f"the section {heading!r} has no blocks of {language}"
    return found


def assigned(block: str) -> set[str]:
    """The variables to which a block of commands gives values."""
    return set(_ASSIGNED.findall(block))


class Reader:
    """Somebody who runs the commands in one shell, in the folder of the sources."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._state = home / "shell-variables"
        # Nothing of the tests' own environment, which says where things are.
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), **environment}

    def choose(self, **values: str) -> None:
        """Gives variables the values of this reader."""
        self.run("\n".join(f"export {name}={shlex.quote(one)}" for name, one in values.items()))

    def run(self, block: str, seconds: float = 600.0) -> str:
        """What the commands print; each of them must succeed."""
        state = shlex.quote(str(self._state))
        script = (
            f"set -euo pipefail\n[ ! -e {state} ] || source {state}\n{block}\n"
            # What is read-only belongs to the shell itself.
            f"declare -p | grep -v '^declare -[a-zA-Z]*r' >{state}\n"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout
