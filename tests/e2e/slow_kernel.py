"""A kernel that starts when a test wants it to, or fails to start, and one without options."""

from __future__ import annotations

import json
import os
from pathlib import Path

_WAIT = """
until [ -e {folder}/open ]; do
  if [ -e {folder}/broken ]; then cat {folder}/broken >&2; exit 1; fi
  sleep 0.1
done
exec {python} -m gateway_ext.agent
"""

LAUNCH_OPTIONS = {
    "type": "object",
    "properties": {
        "memory": {"maximum": 4 * 1024**3, "description": "What all cells may use together."},
        "environment": {"maxProperties": 2},
    },
}


PLAIN = "plain"
"""A kernelspec in the same folder, as Jupyter's own are: without a process proxy and options."""
PLAIN_TITLE = "Python without options"


class SlowKernel:
    """The kernelspec `slow` in the folder `kernelspecs`. Its agents wait until it is opened."""

    name = "slow"
    title = "Slow Python"

    def __init__(self, folder: Path):
        """`folder` is one that kernels can read, under whatever user they run."""
        self.kernelspecs = folder / "kernelspecs"
        self._open = folder / "open"
        self._broken = folder / "broken"
        script = _WAIT.format(folder=folder, python=os.environ["FLEET_KERNEL_PYTHON"])
        kernelspec = {
            "display_name": self.title,
            "language": "python",
            "argv": ["python", "-m", "gateway_ext.agent.python_kernel", "-f", "{connection_file}"],
            "metadata": {
                "fleet": {"launch_options": LAUNCH_OPTIONS},
                "process_proxy": {
                    "class_name": "gateway_ext.process_proxies.local.LocalAgentProxy",
                    "config": {"agent_command": ["sh", "-c", script]},
                },
            },
        }
        argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        plain = {"display_name": PLAIN_TITLE, "language": "python", "argv": argv}
        for name, content in ((self.name, kernelspec), (PLAIN, plain)):
            (self.kernelspecs / name).mkdir(parents=True)
            (self.kernelspecs / name / "kernel.json").write_text(json.dumps(content))

    def open(self) -> None:
        """Its agents start, those that wait and those to come."""
        self._broken.unlink(missing_ok=True)
        self._open.touch()

    def fail(self, words: str) -> None:
        """Its agents end with these words, those that wait and those to come."""
        self._open.unlink(missing_ok=True)
        self._broken.write_text(f"{words}\n")

    def hold(self) -> None:
        """Its agents wait from now on."""
        self._open.unlink(missing_ok=True)
        self._broken.unlink(missing_ok=True)
