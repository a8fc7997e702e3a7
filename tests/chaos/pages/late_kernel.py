"""A kernel whose own start takes as long as a script says, and which is counted at each start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_SCRIPT = """
mktemp {folder}/start-XXXXXXXX > /dev/null
sleep "$(cat {folder}/delay)"
exec {program}
"""


class LateKernel:
    """The kernelspec `late`, whose program writes down that it was started, and waits."""

    name = "late"

    def __init__(self, folder: Path) -> None:
        """`folder` is a new one, which kernels of any user can reach."""
        folder.mkdir()
        folder.chmod(0o777)
        self._folder = folder
        self.delay(0)

    def delay(self, seconds: float) -> None:
        """From now on starts take so much longer."""
        (self._folder / "delay").write_text(f"{seconds:.3f}\n")

    @property
    def starts(self) -> int:
        """How often it was started."""
        return len(list(self._folder.glob("start-*")))

    def command(self, program: str) -> list[str]:
        """What starts it and then becomes `program`, in the shell's words."""
        return ["sh", "-c", _SCRIPT.format(folder=self._folder, program=program), "sh"]

    def write_kernelspec(self, kernelspecs: Path, argv: list[str], **metadata: Any) -> None:
        """Put the kernelspec among others."""
        (kernelspecs / self.name).mkdir(parents=True)
        spec = {"argv": argv, "display_name": self.name, "language": "python", "metadata": metadata}
        (kernelspecs / self.name / "kernel.json").write_text(json.dumps(spec))
